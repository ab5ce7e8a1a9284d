# Random purge targets with mounts, links, `..` and homes in homes: as root, in a lab. $1: how many; $2: the seed.
# Prints a line for each target with a wrong result, and the counts.
RANDOM=$2
bad=0 gone=0 left=0 refused=0
mkdir -p /srv/outside /srv/m/dir/sub
echo keep >/srv/outside/f; echo source >/srv/m/file; echo deep >/srv/m/dir/sub/g

sum() { (cd "$1" && { find . -printf '%p %y %m %l\n'; find . -type f -exec cksum {} +; } | sort | cksum); }
mark() { printf '# mark\nmade=%s\npath=%s\n' "$2" "$1" >"$1/.parachute-home"; }
outside=$(sum /srv/outside; sum /srv/m)

for i in $(seq "$1"); do
    P=/srv/p/$i T=/srv/p/$i/t mounted='' inner=no
    kind=$((RANDOM % 4)) name=$((RANDOM % 5)) mount=$((RANDOM % 6))
    mkdir -p $T/a/b/c
    case $kind in 0 | 1) mark $T yes ;; 2) mark $T no ;; 3) mkdir $T/run ;; esac
    echo 1 >$T/a/b/c/f; echo 2 >$T/x; ln -s /srv/outside $T/a/out; ln -s .. $T/up; ln /srv/outside/f $T/hard
    if [ $((RANDOM % 5)) = 0 ]; then inner=yes; mkdir $T/a/in; mark $T/a/in yes; fi
    case $mount in
        1) mkdir $T/a/m; mount --bind /srv/m/dir $T/a/m; mounted=$T/a/m ;;
        2) mkdir $T/m; mount -t tmpfs none $T/m; echo t >$T/m/t; mounted=$T/m ;;
        3) : >$T/a/b/file; mount --bind /srv/m/file $T/a/b/file; mounted=$T/a/b/file ;;
        4) mount --bind $T $T; mounted=$T ;;
    esac
    case $name in 0 | 1) N=$T ;; 2) N=$T/a/.. ;; 3) ln -s $T $P/link; N=$P/link ;; 4) N=$T/.. ;; esac
    before=$(sum $P) content=''
    if [ -n "$mounted" ]; then content=$(find $mounted -type f -exec cat {} +); fi
    rc=0
    parachute --home $N uninstall --purge --yes --user root --scope system >/tmp/said 2>&1 || rc=$?

    verdict=ok
    if [ $kind -le 1 ] && [ $name -le 2 ] && [ $inner = no ] && [ $mount != 4 ]; then
        if [ -z "$mounted" ]; then
            gone=$((gone + 1))
            if [ $rc != 0 ] || [ -e $T ]; then verdict="not deleted"; fi
        else
            left=$((left + 1))
            others=$(find $T \( -path $mounted -prune \) -o -type f ! -path $T/.parachute-home -print)
            if [ $rc != 1 ] || [ -n "$others" ] || [ ! -e $T/.parachute-home ]; then verdict="mount not left alone"; fi
        fi
    else
        refused=$((refused + 1))
        if [ $rc != 78 ] || [ "$before" != "$(sum $P)" ]; then verdict="not refused, or touched"; fi
    fi
    if [ -n "$mounted" ]; then
        if ! mountpoint -q $mounted && ! grep -q " $mounted " /proc/self/mountinfo; then verdict="unmounted"; fi
        if [ "$content" != "$(find $mounted -type f -exec cat {} +)" ]; then verdict="mounted content touched"; fi
        umount $mounted
    fi
    if [ "$outside" != "$(sum /srv/outside; sum /srv/m)" ]; then verdict="outside touched"; fi
    if [ "$verdict" != ok ]; then
        bad=$((bad + 1))
        echo "$i: $verdict: kind=$kind name=$name mount=$mount inner=$inner rc=$rc: $(tail -n 2 /tmp/said)"
    fi
    grep -q " /srv/p/" /proc/self/mountinfo || rm -rf $P
done
echo "bad=$bad gone=$gone left=$left refused=$refused"
