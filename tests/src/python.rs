//! Python environments, made at first use: for what the tests need that is no crate.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of an environment that has what `requirements.txt` in a folder of this package lists, no more and no less.
///
/// It is made under Cargo's target folder when it is not there yet, or the list has changed since; of
/// test programs that want it at once, one makes it and the others wait.
///
/// # Panics
/// Where it cannot be made, with what to install: a test that is skipped has shown nothing.
pub(crate) fn environment(name: &str) -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("requirements.txt");
    let target = target();
    let folder = target.join(name);
    let interpreter = folder.join("bin").join("python");
    let wanted = fs::read_to_string(&requirements).unwrap();
    let stamp = folder.join("requirements.txt");
    // Released when it is closed, also if this process dies.
    let lock = File::create(target.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let made = fs::read_to_string(&stamp).is_ok_and(|made| made == wanted);
    // Another Python may have come in place of the one that the environment was made with.
    if made && Command::new(&interpreter).arg("--version").output().is_ok_and(|o| o.status.success()) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    run(Command::new("python3").args([OsStr::new("-m"), OsStr::new("venv"), folder.as_os_str()]));
    run(Command::new(&interpreter)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--require-hashes", "--no-deps", "--requirement"])
        .arg(requirements));
    fs::write(stamp, wanted).unwrap();
    folder
}

/// Cargo's target folder: this program is in the folder of its profile there, or in `deps` below that.
fn target() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let target = profile.and_then(Path::parent);
    target.expect("tests run where Cargo built them").to_owned()
}

fn run(command: &mut Command) {
    const NEEDED: &str = "the tests of AWS and of proxies need Python 3.10 or later with its `venv` and `pip` (on Debian: \
                          apt-get install python3-venv) and, the first time, access to a package index";
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            panic!("{command:?} failed: {}\n{NEEDED}", String::from_utf8_lossy(&output.stderr).trim())
        }
        Err(error) => panic!("{command:?} could not be run: {error}\n{NEEDED}"),
    }
}
