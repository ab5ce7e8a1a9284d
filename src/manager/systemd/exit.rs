//! Exit codes that systemd itself gives to a process that it could not start: systemd.exec(5), PROCESS EXIT CODES.
//! Pure.

/// One code: its name, the step that failed, and the keys of the unit that control it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExitCode {
    /// The number.
    pub code: i32,
    /// systemd's name for it.
    pub name: &'static str,
    /// The step that failed.
    pub what: &'static str,
}

/// systemd's meaning of an exit code from 200 on.
#[must_use]
pub(crate) fn of(code: i32) -> Option<ExitCode> {
    CODES.iter().find(|(number, ..)| *number == code).map(|&(code, name, what)| ExitCode { code, name, what })
}

/// The name of a signal: signal(7), the numbers of x86 and ARM.
#[must_use]
pub(crate) fn signal(number: i32) -> Option<&'static str> {
    SIGNALS.iter().find(|(signal, _)| *signal == number).map(|(_, name)| *name)
}

const SIGNALS: [(i32, &str); 15] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
    (31, "SIGSYS"),
];

const CODES: [(i32, &str, &str); 43] = [
    (200, "CHDIR", "its working directory cannot be entered (WorkingDirectory=)"),
    (201, "NICE", "its priority cannot be set (Nice=)"),
    (202, "FDS", "its file descriptors cannot be set up"),
    (203, "EXEC", "its program cannot be run: it is not there, or not executable (ExecStart=)"),
    (204, "MEMORY", "out of memory"),
    (205, "LIMITS", "its limits cannot be set (Limit…=)"),
    (206, "OOM_ADJUST", "its OOM score cannot be set (OOMScoreAdjust=)"),
    (207, "SIGNAL_MASK", "its signals cannot be set up"),
    (208, "STDIN", "its standard input cannot be opened (StandardInput=)"),
    (209, "STDOUT", "its standard output cannot be opened (StandardOutput=)"),
    (210, "CHROOT", "its root directory cannot be entered (RootDirectory=)"),
    (211, "IOPRIO", "its I/O priority cannot be set (IOScheduling…=)"),
    (212, "TIMERSLACK", "its timer slack cannot be set (TimerSlackNSec=)"),
    (213, "SECUREBITS", "its secure bits cannot be set (SecureBits=)"),
    (214, "SETSCHEDULER", "its scheduling cannot be set (CPUScheduling…=)"),
    (215, "CPUAFFINITY", "its CPU affinity cannot be set (CPUAffinity=)"),
    (216, "GROUP", "its group cannot be set (User=, Group=; a user manager cannot change it)"),
    (217, "USER", "its user cannot be set: no such user, or not permitted (User=)"),
    (218, "CAPABILITIES", "its capabilities cannot be set; a user manager never can"),
    (219, "CGROUP", "its control group cannot be made"),
    (220, "SETSID", "its session cannot be made"),
    (221, "CONFIRM", "its start was refused at the console"),
    (222, "STDERR", "its standard error cannot be opened (StandardError=)"),
    (224, "PAM", "its PAM session cannot be opened (PAMName=)"),
    (225, "NETWORK", "its network namespace cannot be made (PrivateNetwork=)"),
    (
        226,
        "NAMESPACE",
        "its mount namespace cannot be made: a path of the unit is not there, or the kernel forbids it",
    ),
    (227, "NO_NEW_PRIVILEGES", "NoNewPrivileges= cannot be set"),
    (228, "SECCOMP", "its system call filter cannot be set (SystemCallFilter=)"),
    (229, "SELINUX_CONTEXT", "its SELinux context cannot be set (SELinuxContext=)"),
    (230, "PERSONALITY", "its personality cannot be set (Personality=)"),
    (231, "APPARMOR_PROFILE", "its AppArmor profile cannot be set (AppArmorProfile=)"),
    (232, "ADDRESS_FAMILIES", "its address families cannot be limited (RestrictAddressFamilies=)"),
    (233, "RUNTIME_DIRECTORY", "its runtime directory cannot be made (RuntimeDirectory=)"),
    (235, "CHOWN", "a socket of it cannot be given to its owner (SocketUser=)"),
    (236, "SMACK_PROCESS_LABEL", "its SMACK label cannot be set (SmackProcessLabel=)"),
    (237, "KEYRING", "its kernel keyring cannot be made (KeyringMode=)"),
    (238, "STATE_DIRECTORY", "its state directory cannot be made (StateDirectory=)"),
    (239, "CACHE_DIRECTORY", "its cache directory cannot be made (CacheDirectory=)"),
    (240, "LOGS_DIRECTORY", "its log directory cannot be made (LogsDirectory=)"),
    (241, "CONFIGURATION_DIRECTORY", "its configuration directory cannot be made (ConfigurationDirectory=)"),
    (242, "NUMA_POLICY", "its NUMA policy cannot be set (NUMAPolicy=)"),
    (243, "CREDENTIALS", "its credentials cannot be read (LoadCredential=)"),
    (245, "BPF", "its BPF filter cannot be set (RestrictFileSystems=)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_in_systemds_range() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(CODES.iter().all(|(code, ..)| (200..=245).contains(code)));
        assert_eq!(of(203).map(|code| code.name), Some("EXEC"));
        assert_eq!((of(78), of(223), of(255)), (None, None, None));
    }
}
