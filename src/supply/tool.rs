//! The programs that we run and that a machine may lack: which version, from where, and how their
//! release hosts name them.

use std::fmt;

/// The default that kind v0.31 carries (kind pkg/apis/config/defaults/image.go); its digest is that
/// of an image built for that kind.
const IMAGE_FOR_KIND_0_31: &str =
    "kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f";
/// Inside what v2.2 supports (facts 1.1), for every other kind.
const IMAGE_FOR_OTHER_KINDS: &str = "kindest/node:v1.34.0";

/// The node image for a version of kind.
pub fn node_image(kind: &str) -> &'static str {
    match kind.starts_with("v0.31.") {
        true => IMAGE_FOR_KIND_0_31,
        false => IMAGE_FOR_OTHER_KINDS,
    }
}

/// A program that is fetched where it is absent (architecture, decision 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    Kind,
    Helm,
}

/// A system and a processor, in the words of Go and of container images: `linux/arm64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    pub system: &'static str,
    pub processor: &'static str,
}

/// Every platform for which both programs are released and `gw` is too.
pub const PLATFORMS: [Platform; 4] = [
    platform("linux", "amd64"),
    platform("linux", "arm64"),
    platform("darwin", "amd64"),
    platform("darwin", "arm64"),
];

const fn platform(system: &'static str, processor: &'static str) -> Platform {
    Platform { system, processor }
}

impl Platform {
    /// The one that this program was built for, if there are releases for it.
    pub fn here() -> Option<Self> {
        Self::named(std::env::consts::OS, std::env::consts::ARCH)
    }

    /// By Rust's words or by Go's.
    pub fn named(system: &str, processor: &str) -> Option<Self> {
        let system = match system {
            "macos" => "darwin",
            other => other,
        };
        let processor = match processor {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let is = |platform: &Platform| (platform.system, platform.processor) == (system, processor);
        PLATFORMS.into_iter().find(is)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.system, self.processor)
    }
}

impl Tool {
    pub const ALL: [Tool; 2] = [Tool::Kind, Tool::Helm];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Kind => "kind",
            Tool::Helm => "helm",
        }
    }

    /// The version that is fetched; one on PATH is taken as it is.
    pub fn version(self) -> &'static str {
        match self {
            Tool::Kind => "v0.31.0",
            Tool::Helm => "v3.19.2",
        }
    }

    /// Name of the file at the release host: kind's is the program, helm's an archive that has it.
    pub fn file(self, platform: Platform) -> String {
        let Platform { system, processor } = platform;
        match self {
            Tool::Kind => format!("kind-{system}-{processor}"),
            Tool::Helm => format!("helm-{}-{system}-{processor}.tar.gz", self.version()),
        }
    }

    /// Where its project releases it. Beside it, with `.sha256sum` at the end, is its checksum.
    pub fn url(self, platform: Platform) -> String {
        let file = self.file(platform);
        match self {
            Tool::Kind => format!(
                "https://github.com/kubernetes-sigs/kind/releases/download/{}/{file}",
                self.version()
            ),
            Tool::Helm => format!("https://get.helm.sh/{file}"),
        }
    }

    /// The path of the program in its archive; `None` where the file is the program itself.
    pub fn inside(self, platform: Platform) -> Option<String> {
        let Platform { system, processor } = platform;
        match self {
            Tool::Kind => None,
            Tool::Helm => Some(format!("{system}-{processor}/helm")),
        }
    }

    /// What puts it on PATH without us.
    pub fn install(self) -> &'static str {
        match (self, std::env::consts::OS) {
            (Tool::Kind, "macos") => "brew install kind",
            (Tool::Helm, "macos") => "brew install helm",
            (Tool::Kind, _) => "go install sigs.k8s.io/kind@v0.31.0",
            (Tool::Helm, _) => {
                "curl -fsSL https://raw.githubusercontent.com/helm/helm/main/scripts/get-helm-3 | bash"
            }
        }
    }

    /// Its name with version and platform, for files of ours: `kind-v0.31.0-linux-amd64`.
    pub fn slug(self, platform: Platform) -> String {
        let Platform { system, processor } = platform;
        format!("{}-{}-{system}-{processor}", self.name(), self.version())
    }
}

/// The checksum that a build of ours knows of a file, from the table that a release fills.
pub fn known_sum(file_slug: &str) -> Option<String> {
    sum_of(include_str!("../../dist/tools.sha256sum"), file_slug)
}

/// The checksum of a name in a table of the form of sha256sum: `HEX  NAME`, `HEX *NAME`.
pub fn sum_of(table: &str, name: &str) -> Option<String> {
    table.lines().find_map(|line| {
        let (sum, file) = line.trim().split_once(char::is_whitespace)?;
        let file = file.trim_start().trim_start_matches('*');
        (file == name && is_sum(sum)).then(|| sum.to_ascii_lowercase())
    })
}

/// 64 hexadecimal digits.
pub fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f";

    #[test]
    fn each_release_host_has_its_own_names() {
        let mac = Platform::named("macos", "aarch64").unwrap();
        assert_eq!(
            Tool::Kind.url(mac),
            "https://github.com/kubernetes-sigs/kind/releases/download/v0.31.0/kind-darwin-arm64"
        );
        assert_eq!(
            Tool::Helm.url(mac),
            "https://get.helm.sh/helm-v3.19.2-darwin-arm64.tar.gz"
        );
        assert_eq!(Tool::Helm.inside(mac).unwrap(), "darwin-arm64/helm");
        assert_eq!(Platform::named("windows", "x86_64"), None);
    }

    #[test]
    fn a_sum_is_found_by_its_file_in_either_form_of_sha256sum() {
        let table = format!("# ours\n{SUM}  a\n{SUM} *b\nshort  c\n");
        assert_eq!(sum_of(&table, "a").as_deref(), Some(SUM));
        assert_eq!(sum_of(&table, "b").as_deref(), Some(SUM));
        assert_eq!(sum_of(&table, "c"), None);
        assert_eq!(sum_of(&table, "kind"), None);
    }

    #[test]
    fn the_table_of_known_sums_names_only_what_is_fetched() {
        let table = include_str!("../../dist/tools.sha256sum");
        let slugs: Vec<String> = Tool::ALL
            .into_iter()
            .flat_map(|tool| PLATFORMS.map(|platform| tool.slug(platform)))
            .collect();
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let (sum, slug) = line.split_once("  ").unwrap();
            assert!(
                is_sum(sum) && slugs.iter().any(|known| known == slug),
                "{line}"
            );
        }
    }
}
