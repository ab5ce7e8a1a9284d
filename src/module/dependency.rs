//! Programs that modules need, and how each is installed.
//!
//! No hint is invented: a program that is not in the registry gets one plain sentence.

use super::problem::{Install, Missing, Problem, ProblemKind};
use super::timestamp::Timestamp;

/// One program and its install hints.
struct Dependency {
    binary: &'static str,
    why: &'static str,
    docs: &'static str,
    darwin: Option<&'static str>,
    apt: Option<&'static str>,
    dnf: Option<&'static str>,
    /// A recipe for Linux that needs no package manager, by architecture.
    recipe: Option<fn(&str) -> Option<String>>,
    generic: Option<&'static str>,
    /// What to do instead: the program is not strictly needed.
    instead: Option<&'static str>,
}

const ASK: &str = "If you do not administer this machine, ask its administrator to install it.";
const OTHER_PROVIDER: &str = "It is optional: switch the module to another provider in its settings.";

static REGISTRY: [Dependency; 14] = [
    Dependency {
        binary: "git",
        why: "vault mirroring",
        docs: "https://git-scm.com/downloads",
        darwin: Some("brew install git"),
        apt: Some("sudo apt-get install -y git"),
        dnf: Some("sudo dnf install git"),
        ..NONE
    },
    Dependency {
        binary: "tailscale",
        why: "tailnet exposure",
        docs: "https://tailscale.com/download",
        darwin: Some("brew install tailscale"),
        recipe: Some(|_| Some(TAILSCALE.to_owned())),
        generic: Some(TAILSCALE),
        ..NONE
    },
    Dependency {
        binary: "cloudflared",
        why: "a public tunnel",
        docs: "https://github.com/cloudflare/cloudflared/releases/latest",
        darwin: Some("brew install cloudflared"),
        recipe: Some(cloudflared),
        ..NONE
    },
    Dependency {
        binary: "bun",
        why: "running modules",
        docs: "https://bun.sh",
        generic: Some("curl -fsSL https://bun.sh/install | bash"),
        ..NONE
    },
    Dependency {
        binary: "claude",
        why: "transcript cleanup and jobs",
        docs: "https://claude.com/claude-code",
        generic: Some("npm i -g @anthropic-ai/claude-code"),
        instead: Some(OTHER_PROVIDER),
        ..NONE
    },
    Dependency {
        binary: "ffmpeg",
        why: "audio conversion",
        docs: "https://ffmpeg.org/download.html",
        darwin: Some("brew install ffmpeg"),
        apt: Some("sudo apt-get install -y ffmpeg"),
        dnf: Some("sudo dnf install ffmpeg"),
        ..NONE
    },
    Dependency { binary: "tar", why: "backups", docs: "https://www.gnu.org/software/tar/", ..NONE },
    Dependency {
        binary: "tail",
        why: "reading logs",
        docs: "https://www.gnu.org/software/coreutils/tail",
        ..NONE
    },
    Dependency {
        binary: "systemctl",
        why: "keeping services up",
        docs: "https://www.freedesktop.org/software/systemd/man/systemctl.html",
        ..NONE
    },
    Dependency {
        binary: "launchctl",
        why: "keeping services up",
        docs: "https://ss64.com/mac/launchctl.html",
        ..NONE
    },
    Dependency {
        binary: "parakeet-mlx",
        why: "transcription",
        docs: "https://github.com/senstella/parakeet-mlx",
        generic: Some("uv tool install parakeet-mlx"),
        instead: Some(OTHER_PROVIDER),
        ..NONE
    },
    Dependency {
        binary: "whisper-ctranslate2",
        why: "transcription",
        docs: "https://github.com/Softcatala/whisper-ctranslate2",
        generic: Some("pip install whisper-ctranslate2"),
        instead: Some(OTHER_PROVIDER),
        ..NONE
    },
    Dependency {
        binary: "onnx-asr",
        why: "transcription",
        docs: "https://github.com/istupakov/onnx-asr",
        generic: Some("pip install onnx-asr"),
        instead: Some(OTHER_PROVIDER),
        ..NONE
    },
    Dependency {
        binary: "parachute-vault",
        why: "the vault module",
        docs: "https://parachute.computer",
        generic: Some("bun add -g @openparachute/vault"),
        ..NONE
    },
];

const NONE: Dependency = Dependency {
    binary: "",
    why: "",
    docs: "",
    darwin: None,
    apt: None,
    dnf: None,
    recipe: None,
    generic: None,
    instead: None,
};

const TAILSCALE: &str = "curl -fsSL https://tailscale.com/install.sh | sh";

fn cloudflared(arch: &str) -> Option<String> {
    // Names on the left are std::env::consts::ARCH, on the right those of the release files.
    let file = match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm",
        "x86" => "386",
        _ => return None,
    };
    Some(format!(
        "sudo curl -fsSL -o /usr/local/bin/cloudflared \\\n  \
         https://github.com/cloudflare/cloudflared/releases/latest/download/cloudflared-linux-{file}\n\
         sudo chmod +x /usr/local/bin/cloudflared\n\
         cloudflared --version"
    ))
}

impl Dependency {
    fn recipe(&self, arch: &str) -> Option<String> {
        self.recipe.and_then(|of| of(arch))
    }

    /// The commands to show on this system, best first.
    fn commands(&self, os: &str, arch: &str) -> Vec<String> {
        let hints = |all: &[Option<&str>]| all.iter().flatten().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let first = |a: Vec<String>| if a.is_empty() { hints(&[self.generic]) } else { a };
        match os {
            "macos" => first(hints(&[self.darwin])),
            "linux" => match self.recipe(arch) {
                Some(recipe) => vec![recipe],
                None => first(hints(&[self.apt, self.dnf])),
            },
            _ => {
                let mut all = hints(&[self.darwin]);
                all.extend(self.recipe(arch));
                all.extend(hints(&[self.apt, self.dnf, self.generic]));
                all.dedup();
                all
            }
        }
    }

    fn text(&self, os: &str, arch: &str) -> String {
        let mut text = format!("`{}` is not on PATH. It is needed for {}.", self.binary, self.why);
        let commands = self.commands(os, arch);
        if !commands.is_empty() {
            text.push_str("\n\nInstall it");
            text.push_str(match os {
                "macos" => " (macOS):",
                "linux" => " (Linux):",
                _ => ":",
            });
            for line in commands.iter().flat_map(|c| c.lines()) {
                text.push_str("\n  ");
                text.push_str(line);
            }
        }
        format!("{text}\n\nDocs: {}", self.docs)
    }

    /// The hints of every system, so that a client on another system can show its own.
    fn install(&self, arch: &str) -> Install {
        let packages: Vec<&str> = [self.apt, self.dnf].into_iter().flatten().collect();
        Install {
            darwin: self.darwin.map(str::to_owned),
            linux: self.recipe(arch).or_else(|| (!packages.is_empty()).then(|| packages.join("\n"))),
            generic: self.generic.map(str::to_owned),
        }
    }
}

/// The problem of a program that is not on the child's PATH or, if `binary` is a path, does not exist.
///
/// `os` and `arch` are `std::env::consts::OS` and `ARCH` of the machine on which it is missing.
#[must_use]
pub(crate) fn missing(binary: &str, os: &str, arch: &str, at: Timestamp) -> Problem {
    let known = REGISTRY.iter().find(|d| d.binary == binary);
    let text = match known {
        Some(dependency) => dependency.text(os, arch),
        None if binary.contains('/') => format!("`{binary}` does not exist."),
        None => format!("`{binary}` is not on PATH."),
    };
    // `next` is one command that can be typed here; the module installer of the original is not part of this program.
    let next = known
        .and_then(|d| d.commands(os, arch).into_iter().next())
        .filter(|command| !command.contains('\n') && !command.starts_with("parachute "));
    Problem {
        missing: Some(Box::new(Missing {
            binary: binary.to_owned(),
            why: known.map(|d| d.why.to_owned()),
            docs_url: known.map(|d| d.docs.to_owned()),
            install: known.map(|d| d.install(arch)).unwrap_or_default(),
            sysadmin_hint: Some(known.and_then(|d| d.instead).unwrap_or(ASK).to_owned()),
        })),
        next,
        ..Problem::new(ProblemKind::MissingDependency, text, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn on(binary: &str, os: &str, arch: &str) -> Vec<String> {
        REGISTRY.iter().find(|d| d.binary == binary).unwrap().commands(os, arch)
    }

    #[test]
    fn commands_by_system_and_architecture() {
        assert_eq!(on("git", "macos", "aarch64"), ["brew install git"]);
        assert_eq!(on("git", "linux", "x86_64"), ["sudo apt-get install -y git", "sudo dnf install git"]);
        assert_eq!(on("tailscale", "linux", "riscv64"), [TAILSCALE]);
        assert_eq!(on("tailscale", "freebsd", "x86_64"), ["brew install tailscale", TAILSCALE]);
        assert_eq!(on("bun", "macos", "aarch64"), ["curl -fsSL https://bun.sh/install | bash"]);
        assert_eq!(on("tar", "linux", "x86_64"), [""; 0]);
        for (arch, file) in [("x86_64", "amd64"), ("aarch64", "arm64"), ("arm", "arm"), ("x86", "386")] {
            let recipe = on("cloudflared", "linux", arch).remove(0);
            assert!(recipe.contains(&format!("cloudflared-linux-{file}\n")), "{recipe}");
            assert_eq!(recipe.lines().count(), 4);
        }
        assert_eq!(on("cloudflared", "linux", "riscv64"), [""; 0]);
        assert_eq!(on("git", "freebsd", "x86_64").len(), 3);
    }

    #[test]
    fn text_of_a_registered_program() {
        insta::assert_snapshot!(missing("ffmpeg", "linux", "x86_64", Timestamp(0)).error_description, @r"
        `ffmpeg` is not on PATH. It is needed for audio conversion.

        Install it (Linux):
          sudo apt-get install -y ffmpeg
          sudo dnf install ffmpeg

        Docs: https://ffmpeg.org/download.html
        ");
        let unknown_arch = missing("cloudflared", "linux", "riscv64", Timestamp(0));
        assert!(!unknown_arch.error_description.contains("Install"), "docs only");
        assert_eq!(unknown_arch.next, None);
    }

    #[test]
    fn wire_of_unregistered_and_optional_programs() {
        let wire =
            serde_json::to_value(missing("parachute-scribe", "linux", "x86_64", Timestamp(0))).unwrap();
        assert_eq!(
            wire,
            json!({"error_type": "missing_dependency", "error_description": "`parachute-scribe` is not on PATH.",
                "binary": "parachute-scribe", "why": null, "docs_url": null, "install": {},
                "sysadmin_hint": ASK, "at": "1970-01-01T00:00:00.000Z"})
        );
        let claude = missing("claude", "linux", "x86_64", Timestamp(0));
        assert_eq!(claude.next.as_deref(), Some("npm i -g @anthropic-ai/claude-code"));
        assert_eq!(claude.missing.unwrap().sysadmin_hint.as_deref(), Some(OTHER_PROVIDER));
        let git = missing("git", "linux", "x86_64", Timestamp(0)).missing.unwrap();
        assert_eq!(git.install.linux.as_deref(), Some("sudo apt-get install -y git\nsudo dnf install git"));
        assert_eq!(
            missing("/opt/x", "linux", "", Timestamp(0)).error_description,
            "`/opt/x` does not exist."
        );
    }
}
