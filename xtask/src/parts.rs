//! What does `cargo xtask test` run, in which order, and what does it say at the end?
//!
//! Parts: Rust (unit, integration, doc and compile-fail tests), Python, the commands of README.md, the examples. All
//! parts run even when one fails, so that one run shows everything; the table at the end and the exit code tell.
//!
//! Holds: a missing tool is a failure, never a silent pass. A part is absent only while its own folder is.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::readme;
use crate::run::{Outcome, cargo, command, output, root, run, target};

/// Which languages' tests are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Languages {
    /// Everything; a language whose tools are missing fails.
    All,
    /// Only what the Rust toolchain can run.
    RustOnly,
}

enum Verdict {
    Passed(Duration),
    Failed(String),
    Absent(&'static str),
    LeftOut,
}

/// Runs all parts and prints the table.
pub(crate) fn test(languages: Languages) -> ExitCode {
    let python_verdict = match languages {
        Languages::All => python,
        Languages::RustOnly => || Verdict::LeftOut,
    };
    let verdicts = [
        ("rust", timed(rust)),
        ("python", python_verdict()),
        ("readme", needs("README.md", readme::test)),
        ("examples", timed(examples)),
        ("tour", needs("examples/tour.sql", tour)),
    ];
    println!();
    for (name, verdict) in &verdicts {
        match verdict {
            Verdict::Passed(took) => println!("{name:<9} passed in {:.0} s", took.as_secs_f64()),
            Verdict::Failed(why) => println!("{name:<9} FAILED: {why}"),
            Verdict::Absent(what) => println!("{name:<9} absent: there is no {what}"),
            Verdict::LeftOut => println!("{name:<9} left out (--rust-only)"),
        }
    }
    let failed = verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn timed(part: impl FnOnce() -> Outcome) -> Verdict {
    let started = Instant::now();
    match part() {
        Ok(()) => Verdict::Passed(started.elapsed()),
        Err(why) => Verdict::Failed(why),
    }
}

/// Runs a part only when the file it is about exists.
fn needs(file: &'static str, part: impl FnOnce() -> Outcome) -> Verdict {
    if root().join(file).exists() { timed(part) } else { Verdict::Absent(file) }
}

/// Plain `cargo test`, not a faster runner: it is the one that runs doc examples.
fn rust() -> Outcome {
    // The Python module is a cdylib whose symbols only a running Python has, so it cannot link as a test program; its
    // tests are the Python part.
    run(&mut cargo(["test", "--workspace", "--exclude", "spectradb-python", "--no-fail-fast"]))
}

fn python() -> Verdict {
    needs("python/pyproject.toml", || {
        let venv = python_venv()?;
        let bin = venv.join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let inside = |command: &mut Command| {
            run(command.env("VIRTUAL_ENV", &venv).env("PATH", format!("{}:{path}", bin.display())))
        };
        inside(&mut command(bin.join("maturin"), ["develop", "--quiet", "--manifest-path", "python/Cargo.toml"]))?;
        inside(&mut command(bin.join("python"), ["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "python/tests"]))
    })
}

/// A Python environment of our own, made once; what it needs is installed into it and nowhere else.
fn python_venv() -> Result<PathBuf, String> {
    let venv = target().join("python-venv");
    let ready = venv.join("ready");
    let wanted = ["maturin>=1.16,<2", "pytest>=8,<10"];
    if std::fs::read_to_string(&ready).is_ok_and(|text| text == wanted.join("\n")) {
        return Ok(venv);
    }
    output(&mut command("python3", ["--version"]))
        .map_err(|why| format!("python3 is needed for the Python tests ({why}); --rust-only leaves them out"))?;
    run(command("python3", ["-m", "venv", "--clear"]).arg(&venv))
        .map_err(|why| format!("python3 cannot make a virtual environment ({why}); install its venv module"))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(command(venv.join("bin/python"), pip).args(wanted))?;
    // Written last: an environment that was cut off half-way is made again.
    std::fs::write(&ready, wanted.join("\n")).map_err(|error| format!("{}: {error}", ready.display()))?;
    Ok(venv)
}

/// Every example runs to its end.
fn examples() -> Outcome {
    let folder = root().join("examples");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    for name in names {
        run(&mut cargo(["run", "--quiet", "--example", &name]))?;
    }
    Ok(())
}

/// The tour prints something, and on a second run over the same database the very same thing.
fn tour() -> Outcome {
    let folder = target().join("tour");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let first = tour_once(&folder)?;
    print!("{first}");
    if first.trim().is_empty() {
        return Err("examples/tour.sql printed nothing".to_owned());
    }
    let second = tour_once(&folder)?;
    match first.lines().zip(second.lines()).find(|(one, two)| one != two) {
        Some((one, two)) => Err(format!("the tour's second run differs:\n  first:  {one}\n  second: {two}")),
        None if first.lines().count() != second.lines().count() => {
            Err("the tour's second run is of another length".to_owned())
        }
        None => Ok(()),
    }
}

fn tour_once(folder: &Path) -> Result<String, String> {
    let tour = ["run", "--quiet", "--", "--bail", "--file", "examples/tour.sql", "--path"];
    output(cargo(tour).arg(folder))
}
