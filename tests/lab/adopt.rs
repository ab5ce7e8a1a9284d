//! A hub that is killed costs its modules nothing: the next one has the same processes, and no request to a module fails.

use crate::hub::{Hub, SERVICE, in_both_scopes};
use crate::lab::{FIXTURE, Lab, Process};

/// Kills of the hub; `PARACHUTE_TEST_ROUNDS` overrides it.
const KILLS: usize = 12;

/// Asks each port again and again, 5 ms apart, until the file is there. Prints requests and failures.
const PROBER: &str = r#"
use IO::Socket::INET; use Time::HiRes qw(sleep);
my ($stop, @ports) = @ARGV; my ($asked, $failed) = (0, 0);
until (-e $stop) {
    for my $port (@ports) {
        $asked++;
        my $answer = '';
        if (my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 5)) {
            print $socket "GET /health HTTP/1.0\r\nHost: x\r\n\r\n";
            $answer = <$socket> // '';
        }
        $failed++ unless $answer =~ /^HTTP/;
    }
    sleep 0.005;
}
print "$asked $failed\n";
"#;

/// A server that prints a line for each request, as many do.
const NODE: &str = "node -e 'require(\"http\").createServer((q, a) => { console.log(q.url); a.end(\"ok\") })\
    .listen(process.env.PORT, \"127.0.0.1\")'";

const PERL: &str = "use IO::Socket::INET; $| = 1; my $all = IO::Socket::INET->new(LocalAddr => \"127.0.0.1\", \
    LocalPort => $ENV{PORT}, Listen => 64, ReuseAddr => 1) or die; while (my $one = $all->accept) { \
    my $line = <$one>; print $line; print $one \"HTTP/1.0 200 OK\\r\\n\\r\\nok\"; close $one }";

const PORTS: &str = "1950 1951 1952 1953 1954 1955";

fn modules(hub: &Hub<'_>) {
    hub.module("web", 1950, "");
    hub.module("wrapper", 1951, "--child");
    hub.module("daemon", 1952, "--escape");
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let _ =
        hub.parachute(&format!("add node --port 1953 -- sh -c {}", quoted(&format!("exec {NODE}")))).code(0);
    let _ = hub.parachute(&format!("add perl --port 1954 -- perl -e {}", quoted(PERL))).code(0);
    // Without an environment, in a session of its own, forked twice.
    let cleared = format!("setsid env -i PORT=1955 {FIXTURE} server & wait");
    let _ = hub.parachute(&format!("add cleared --port 1955 -- sh -c {}", quoted(&cleared))).code(0);
    let _ = hub.parachute("add worker --no-listen -- sh -c 'while sleep 0.01; do echo line; done'").code(0);
}

const MODULES: [&str; 7] = ["web", "wrapper", "daemon", "node", "perl", "cleared", "worker"];

fn leaders(hub: &Hub<'_>) -> Vec<u32> {
    MODULES.iter().map(|short| hub.ready(short)).collect()
}

/// Everything in the cgroups of modules but the short-lived children of the worker.
fn members(lab: &Lab) -> Vec<u32> {
    let script = "find /sys/fs/cgroup -path '*/parachute-hub.service/modules/*' ! -path '*/worker/*' \
        -name cgroup.procs -exec cat {} + | sort -n";
    lab.root(script).out.lines().filter_map(|pid| pid.parse().ok()).collect()
}

fn under_load(lab: &Lab, hub: &Hub<'_>) {
    let kills = std::env::var("PARACHUTE_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    modules(hub);
    hub.install();
    hub.start();
    let (before, all): (Vec<u32>, Vec<u32>) = (leaders(hub), members(lab));
    lab.write(&crate::lab::Who::Root, "/tmp/prober.pl", PROBER);
    let _ = lab
        .root(&format!("rm -f /tmp/stop; setsid perl /tmp/prober.pl /tmp/stop {PORTS} >/tmp/asked 2>&1 &"))
        .code(0);
    for kill in 0..kills {
        let pid = hub.pid();
        let _ = lab.root(&format!("kill -KILL {pid}")).code(0);
        lab.eventually("another hub runs", || ![0, pid].contains(&hub.pid()));
        hub.becomes("ActiveState", "active");
        assert_eq!(leaders(hub), before, "kill {kill}: {}", hub.journal());
        // A user asks for a module, and systemd is told that all is well: the ceilings are not what is tested.
        let _ = hub.parachute("start web").code(0);
        let _ = hub.systemctl(&format!("reset-failed {SERVICE}")).code(0);
    }
    assert_eq!(members(lab), all, "every process of every module");
    assert!(
        MODULES.iter().all(|short| hub.view(short)["adopted"] == true && hub.view(short)["restarts"] == 0)
    );
    let _ = lab.root("touch /tmp/stop").code(0);
    let said =
        lab.until("the prober ends", || Some(lab.read("/tmp/asked")).filter(|said| said.ends_with('\n')));
    let numbers: Vec<u64> = said.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert!(numbers[0] > 100 && numbers[1] == 0, "requests, failures: {said}");
    let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
    assert_eq!(
        (members(lab), lab.processes()),
        (Vec::new(), Vec::<Process>::new()),
        "an ordered end leaves none"
    );
}

#[test]
fn a_killed_hub_costs_its_modules_nothing() {
    in_both_scopes(|lab, hub| under_load(lab, &hub));
}

/// systemd keeps the read ends of its output: what it wrote before it ended is in the log of the next hub.
#[test]
fn the_last_words_of_a_module_that_ends_without_a_hub_are_kept() {
    in_both_scopes(|lab, hub| {
        let script = "echo begins; while [ ! -e /tmp/end ]; do sleep 0.02; done; echo my last words; exit 7";
        let _ = lab.root("rm -f /tmp/end").code(0);
        hub.install();
        hub.edit("[Service]\nRestartSec=4s\n");
        hub.start();
        let _ = hub.parachute(&format!("add brief --no-listen -- sh -c '{script}'")).code(0);
        let (pid, first) = (hub.pid(), hub.ready("brief"));
        lab.eventually("it has begun", || hub.parachute("logs brief").out.contains("begins"));
        let _ = lab.root(&format!("kill -KILL {pid}; touch /tmp/end")).code(0);
        let ended = format!("[ ! -e /proc/{first} ]");
        lab.eventually("it ends while there is no hub", || lab.root(&ended).code == 0);
        assert_eq!(hub.pid(), 0);
        lab.eventually("another hub runs", || ![0, pid].contains(&hub.pid()));
        lab.eventually("they are kept", || hub.parachute("logs brief").out.contains("my last words"));
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
    });
}
