//! What do the dot commands do?

use crate::input;
use crate::output::Mode;
use crate::shell::{End, Shell};
use spectradb::embed::Error;
use std::io::{self, Write};
use std::path::Path;

/// The commands with what they are for.
pub(crate) const COMMANDS: &[(&str, &str, &str)] = &[
    (".help", "", "show this list"),
    (".mode", " MODE", "print rows as table, line, csv, json or jsonl"),
    (".quit", "", "leave the shell (so does Ctrl-D)"),
    (".read", " FILE", "run the statements of a file"),
    (".schema", " [TABLE]", "show the statement that makes a table, or all"),
    (".stats", " [TABLE]", "show figures about the database, or about a table"),
    (".tables", "", "list the tables"),
    (".timer", " on|off", "tell on stderr how long each statement takes"),
];

/// Why a command did not do its work.
pub(crate) enum Fault {
    End(End),
    Error(Error),
    Io(io::Error),
}

impl From<End> for Fault {
    fn from(end: End) -> Fault {
        Fault::End(end)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Error(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

/// Runs a line that begins with a dot. `depth` counts the files that read each other.
pub(crate) fn run(shell: &mut Shell, line: &str, depth: u32) -> Result<(), Fault> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match (command, rest) {
        (".help", "") => help(shell)?,
        (".quit" | ".exit", "") => return Err(End::Quit.into()),
        (".mode", "") => writeln!(shell.out, "{}", shell.format.mode)?,
        (".mode", mode) => shell.format.mode = Mode::parse(mode).map_err(|message| fault(&message))?,
        (".timer", "on") => shell.timer = true,
        (".timer", "off") => shell.timer = false,
        (".tables", "") => {
            for name in shell.names("SHOW TABLES")? {
                writeln!(shell.out, "{name}")?;
            }
        }
        (".schema", "") => {
            for name in shell.names("SHOW TABLES")? {
                let statement = shell.create_statement(&name)?;
                writeln!(shell.out, "{statement}")?;
            }
        }
        (".schema", table) => {
            let statement = shell.create_statement(&folded(table))?;
            writeln!(shell.out, "{statement}")?;
        }
        (".stats", "") => shell.query("SHOW STATS")??,
        (".stats", table) => shell.query(&format!("SHOW TABLE STATS {table}"))??,
        (".read", "") => return Err(fault(".read needs a file's name").into()),
        (".read", file) => input::file(shell, Path::new(file.trim_matches(['\'', '"'])), depth + 1)?,
        _ if COMMANDS.iter().any(|(name, _, _)| *name == command) => {
            let usage = COMMANDS.iter().find(|(name, _, _)| *name == command).map_or("", |(_, usage, _)| *usage);
            return Err(fault(&format!("{command} is written {command}{usage}")).into());
        }
        _ => {
            return Err(fault(&format!("there is no command \"{command}\""))
                .with_help(".help lists the commands")
                .into());
        }
    }
    Ok(())
}

fn help(shell: &mut Shell) -> io::Result<()> {
    for (name, usage, what) in COMMANDS {
        writeln!(shell.out, "{:<18}{what}", format!("{name}{usage}"))?;
    }
    writeln!(shell.out, "Anything else is SQL, up to a semicolon.")
}

fn fault(message: &str) -> Error {
    Error::new("42601", message)
}

/// The name that is meant by one as SQL writes it.
fn folded(written: &str) -> String {
    match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => written.to_lowercase(),
    }
}

/// A name as SQL reads it back.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !spectradb::embed::tokens::is_reserved(name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
