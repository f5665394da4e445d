//! Variables in the words of a shell.

use crate::text;

/// A shell whose words we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash, zsh and every other that takes POSIX `export`.
    Posix,
    Fish,
    PowerShell,
    Nu,
}

/// What a variable is to hold. A key is never written out: the shell fetches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    File(String),
    Variable(String),
    Command(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Comment(String),
    Set(&'static str, Value),
    Unset(&'static str),
}

impl Shell {
    /// The shell of a path such as `/usr/bin/fish`; what is not known is taken for a POSIX one.
    pub fn of(path: &str) -> Shell {
        match path.rsplit('/').next().unwrap_or(path) {
            "fish" => Shell::Fish,
            "nu" => Shell::Nu,
            "pwsh" | "powershell" => Shell::PowerShell,
            _ => Shell::Posix,
        }
    }

    /// The command that makes a shell take what `command` prints.
    pub fn taking(self, command: &str) -> String {
        match self {
            Shell::Posix => format!("eval \"$({command})\""),
            Shell::Fish => format!("{command} | source"),
            Shell::PowerShell => format!("{command} | Out-String | Invoke-Expression"),
            // It looks for a sourced file before it runs the line: one line can't do both.
            Shell::Nu => format!("{command} | save --force gw.nu, and then: source gw.nu"),
        }
    }

    pub fn line(self, line: &Line) -> String {
        match line {
            Line::Comment(text) => format!("# {text}"),
            Line::Unset(name) => match self {
                Shell::Posix => format!("unset {name}"),
                Shell::Fish => format!("set --erase {name}"),
                Shell::PowerShell => format!("Remove-Item -ErrorAction Ignore Env:{name}"),
                Shell::Nu => format!("hide-env --ignore-errors {name}"),
            },
            Line::Set(name, value) => {
                let value = self.value(value);
                match self {
                    Shell::Posix => format!("export {name}={value}"),
                    Shell::Fish => format!("set --global --export {name} {value}"),
                    Shell::PowerShell => format!("$Env:{name} = {value}"),
                    Shell::Nu => format!("$env.{name} = {value}"),
                }
            }
        }
    }

    fn value(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Text(text)) => self.word(text),
            (Shell::Posix, Value::Variable(name)) => format!("\"${name}\""),
            (Shell::Fish, Value::Variable(name)) => format!("${name}"),
            (Shell::PowerShell, Value::Variable(name)) => format!("$Env:{name}"),
            (Shell::Nu, Value::Variable(name)) => format!("$env.{name}"),
            (Shell::Posix, Value::File(path)) => format!("\"$(cat {})\"", self.word(path)),
            (Shell::Fish, Value::File(path)) => format!("(cat {})", self.word(path)),
            (Shell::PowerShell, Value::File(path)) => {
                format!("(Get-Content -Raw {}).Trim()", self.word(path))
            }
            (Shell::Nu, Value::File(path)) => {
                format!("(open --raw {} | str trim)", self.word(path))
            }
            (_, Value::Command(words)) => {
                let words: Vec<String> = words.iter().map(|word| self.word(word)).collect();
                let command = words.join(" ");
                match self {
                    Shell::Posix => format!("\"$({command})\""),
                    Shell::Fish => format!("({command})"),
                    Shell::PowerShell => format!("(& {command})"),
                    Shell::Nu => format!("(^{command} | str trim)"),
                }
            }
        }
    }

    fn word(self, word: &str) -> String {
        match self {
            Shell::Posix => text::shell(word),
            Shell::Fish => format!("'{}'", word.replace('\\', "\\\\").replace('\'', "\\'")),
            Shell::PowerShell => format!("'{}'", word.replace('\'', "''")),
            Shell::Nu => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_fetches_a_key_in_its_own_words() {
        let from = |path: &str| Line::Set("KEY", Value::File(path.to_string()));
        let table = [
            (Shell::Posix, r#"export KEY="$(cat '/a b/k'\''s')""#),
            (Shell::Fish, r"set --global --export KEY (cat '/a b/k\'s')"),
            (
                Shell::PowerShell,
                "$Env:KEY = (Get-Content -Raw '/a b/k''s').Trim()",
            ),
            (
                Shell::Nu,
                r#"$env.KEY = (open --raw "/a b/k's" | str trim)"#,
            ),
        ];
        for (shell, line) in table {
            assert_eq!(shell.line(&from("/a b/k's")), line);
        }
        let command = Value::Command(["op", "read", "op://a b"].map(str::to_string).to_vec());
        let lines = [
            (Shell::Posix, r#"export KEY="$(op read 'op://a b')""#),
            (
                Shell::Fish,
                "set --global --export KEY ('op' 'read' 'op://a b')",
            ),
            (Shell::PowerShell, "$Env:KEY = (& 'op' 'read' 'op://a b')"),
            (
                Shell::Nu,
                r#"$env.KEY = (^"op" "read" "op://a b" | str trim)"#,
            ),
        ];
        for (shell, line) in lines {
            assert_eq!(shell.line(&Line::Set("KEY", command.clone())), line);
        }
    }

    #[test]
    fn a_shell_is_known_by_its_program() {
        let table = [
            ("/usr/bin/fish", Shell::Fish),
            ("/bin/zsh", Shell::Posix),
            ("nu", Shell::Nu),
            ("/opt/microsoft/powershell/7/pwsh", Shell::PowerShell),
            ("", Shell::Posix),
        ];
        for (path, shell) in table {
            assert_eq!(Shell::of(path), shell, "{path}");
        }
    }
}
