//! Do the commands that README.md tells a newcomer to type do their work?
//!
//! Every line of every `sh` block is run in the workspace root, with two changes: without `--release`, because the
//! tests have built the other profile already, and with `./mydb` moved into the target folder. `cargo xtask` lines are
//! what is running now and are passed over. A line of any other kind is an error: the README would promise something
//! that nobody checks.
//!
//! Not here: `sql` blocks (`tests/readme.rs`) and `rust` blocks (doc tests of the `tests` package).

use std::path::Path;

use crate::run::{Outcome, cargo, root, run, target};

/// The folder a newcomer is told to use, as README.md writes it.
const DATABASE: &str = "./mydb";

/// Runs the commands of README.md.
pub(crate) fn test() -> Outcome {
    let path = root().join("README.md");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let folder = target().join("readme");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for line in lines_of_blocks(&text, "sh") {
        run_line(line, &folder)?;
    }
    Ok(())
}

fn run_line(line: &str, folder: &Path) -> Outcome {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [] => Ok(()),
        ["cargo", "xtask", ..] => Ok(()),
        ["cargo", "run", rest @ ..] => {
            let database = folder.join("mydb").display().to_string();
            let rest = rest.iter().filter(|word| **word != "--release");
            let rest = rest.map(|word| if *word == DATABASE { database.as_str() } else { word });
            run(&mut cargo(["run", "--quiet"].into_iter().chain(rest)))
        }
        _ => Err(format!("README.md: nothing checks the command {line:?}")),
    }
}

/// The lines of all fenced blocks of a language, without comments.
fn lines_of_blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let mut lines = Vec::new();
    let mut block: Option<&str> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(opened), None) => block = Some(opened.trim()),
            (Some(_), Some(_)) => block = None,
            (None, Some(current)) if current == language && !line.starts_with('#') => lines.push(line),
            (None, _) => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blocks_of_the_language_are_taken() {
        let text = "a\n```sh\ncargo run\n# why\n```\ncargo no\n```sql\nSELECT 1;\n```\n```sh\nb\n```\n";
        assert_eq!(lines_of_blocks(text, "sh"), ["cargo run", "b"]);
    }

    #[test]
    fn a_command_that_nobody_checks_is_an_error() {
        assert!(run_line("curl example", Path::new("x")).unwrap_err().contains("nothing checks"));
        assert_eq!(run_line("cargo xtask test", Path::new("x")), Ok(()));
    }
}
