//! Files and folders that nobody else on the machine has access to: leads are people, and keys are keys.
//!
//! Everything in a pipeline's folder is created here, so that three rules hold for all of it: folders
//! have the mode 0700 and files 0600 whatever the umask says; a name that is taken is neither written over nor
//! followed; and what root makes in somebody else's folder belongs to that somebody, as with `sudo leadops
//! subscribe` for a service that has a user of its own.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::Path,
};

use rustix::{fs::OFlags, process::geteuid};

/// The mode of a folder.
pub const FOLDER: u32 = 0o700;
/// The mode of a file.
pub const FILE: u32 = 0o600;
/// What a mode lets the group and all others do.
const OTHERS: u32 = 0o077;
/// What a key's file may have had before and has again: its group may read it.
const KEY: u32 = 0o640;

/// A user and a group, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

impl Owner {
    /// Whose this is.
    pub fn of(found: &Metadata) -> Self {
        Self { user: found.uid(), group: found.gid() }
    }
}

/// Makes a folder, and those above it that are missing. One that is there stays as it is.
///
/// # Errors
/// That of the file system.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.is_dir()).collect();
    for missing in missing.into_iter().rev() {
        match DirBuilder::new().mode(FOLDER).create(missing) {
            Ok(()) => {
                let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW;
                let made = OpenOptions::new().read(true).custom_flags(flags(folder)).open(missing)?;
                hand_over(&made, missing);
            }
            // Somebody else was quicker.
            Err(_) if missing.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A new file. The name must be free: not even a link that leads nowhere may stand there.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or another one of the file system.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)
}

/// A file to be written to, new or not, that is no link.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    match create(path) {
        Ok(file) => {
            hand_over(&file, path);
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut open = OpenOptions::new();
            // Made as well, should it be gone again by now.
            open.write(true).create(true).truncate(false).mode(FILE).custom_flags(flags(OFlags::NOFOLLOW));
            let file = open.open(path)?;
            if file.metadata().is_ok_and(|found| Owner::of(&found).user == me() && is_open(&found)) {
                // Of an earlier version. What cannot be changed is said by `doctor`.
                let _ = file.set_permissions(Permissions::from_mode(FILE));
            }
            Ok(file)
        }
        Err(error) => Err(error),
    }
}

/// Gives a file that has just been made under this name, or is about to get it, the owner of its folder, where
/// root has made it in somebody else's.
///
/// By its descriptor: under the name there may be another file by now, as the folder is not root's. Where it
/// cannot be done, as in a container without that right, it is root's as it was, and `doctor` says so.
pub fn hand_over(made: &File, path: &Path) {
    let owner = fs::metadata(folder_of(path)).ok().and_then(|folder| heir(me(), Owner::of(&folder)));
    if let Some(owner) = owner {
        let _ = fchown(made, Some(owner.user), Some(owner.group));
    }
}

/// Writes a text under a name in one step, for its owner alone; what was there is replaced.
///
/// Where root does that, the file belongs to the owner of its folder. In a folder of root's own, such as
/// `/etc/leadops`, a file that was there before retains its owner, and whether its group may read it.
///
/// # Errors
/// That of the file system.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = folder_of(path);
    make_folder(folder)?;
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{text}")?;
    let replaced = fs::metadata(path).ok().filter(Metadata::is_file);
    let replaced = replaced.map(|found| (Owner::of(&found), found.mode()));
    let (owner, mode) = successor(me(), Owner::of(&fs::metadata(folder)?), replaced);
    if let Some(owner) = owner {
        let _ = fchown(file.as_file(), Some(owner.user), Some(owner.group));
    }
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Takes from everybody else what they may do with a file of ours in a folder of ours, as a copy that was put
/// back may be open to all. Links are left alone, and files that have other names.
pub fn tighten(path: &Path) {
    let ours = |found: &Metadata| Owner::of(found).user == me();
    let is_ours = fs::metadata(folder_of(path)).is_ok_and(|folder| ours(&folder));
    let open = |found: &Metadata| found.is_file() && found.nlink() == 1 && ours(found) && is_open(found);
    if is_ours && fs::symlink_metadata(path).is_ok_and(|found| open(&found)) {
        // By its name: closing a descriptor of a database would end SQLite's locks on it. What cannot be changed
        // is said by `doctor`.
        let _ = fs::set_permissions(path, Permissions::from_mode(FILE));
    }
}

/// Whether the group or all others have any right to this.
pub fn is_open(found: &Metadata) -> bool {
    found.mode() & OTHERS != 0
}

/// Who gets what is made in a folder; nobody else than who makes it, but where that is root.
fn heir(me: u32, folder: Owner) -> Option<Owner> {
    (me == 0 && folder.user != 0).then_some(folder)
}

/// Who gets a file that replaces another one, and its mode.
fn successor(me: u32, folder: Owner, replaced: Option<(Owner, u32)>) -> (Option<Owner>, u32) {
    match (heir(me, folder), replaced) {
        (None, Some((owner, mode))) if me == 0 => (Some(owner), mode & KEY | FILE),
        (heir, _) => (heir, FILE),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn me() -> u32 {
    geteuid().as_raw()
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const ROOT: Owner = Owner { user: 0, group: 0 };
    const SERVICE: Owner = Owner { user: 990, group: 991 };

    #[test]
    fn what_root_makes_in_a_folder_of_somebody_else_is_theirs() {
        assert_eq!(heir(0, SERVICE), Some(SERVICE));
        // In a folder of root's own, and whoever else makes something.
        assert_eq!((heir(0, ROOT), heir(990, SERVICE), heir(1000, SERVICE)), (None, None, None));
    }

    #[test]
    fn what_root_replaces_can_be_read_by_whoever_could_before() {
        let before = |owner, mode| Some((owner, mode));
        for (me, folder, replaced, expected) in [
            (0, SERVICE, None, (Some(SERVICE), 0o600)),
            // As an earlier version has left it.
            (0, SERVICE, before(ROOT, 0o600), (Some(SERVICE), 0o600)),
            (0, ROOT, None, (None, 0o600)),
            (0, ROOT, before(SERVICE, 0o600), (Some(SERVICE), 0o600)),
            (
                0,
                ROOT,
                before(Owner { group: 991, ..ROOT }, 0o100_640),
                (Some(Owner { group: 991, ..ROOT }), 0o640),
            ),
            (0, ROOT, before(ROOT, 0o100_644), (Some(ROOT), 0o640)),
            (990, SERVICE, before(SERVICE, 0o644), (None, 0o600)),
        ] {
            assert_eq!(successor(me, folder, replaced), expected, "{me} {folder:?} {replaced:?}");
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn folders_and_files_are_for_their_owner_alone() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a/b");
        make_folder(&folder).unwrap();
        make_folder(&folder).unwrap();
        assert_eq!([mode(&folder), mode(&base.path().join("a"))], [FOLDER; 2]);
        let file = folder.join("new");
        create(&file).unwrap();
        replace(&folder.join("key"), "secret").unwrap();
        assert_eq!([mode(&file), mode(&folder.join("key"))], [FILE; 2]);
        assert_eq!(fs::read_to_string(folder.join("key")).unwrap(), "secret\n");
        assert!(make_folder(&file).is_err() && make_folder(&file.join("below")).is_err());
    }

    #[test]
    fn a_name_that_is_taken_is_neither_written_over_nor_followed() {
        let base = tempfile::tempdir().unwrap();
        let [kept, link, nowhere] = ["kept", "link", "nowhere"].map(|name| base.path().join(name));
        fs::write(&kept, "kept").unwrap();
        symlink(&kept, &link).unwrap();
        symlink(base.path().join("new"), &nowhere).unwrap();
        for path in [&kept, &link, &nowhere] {
            assert_eq!(create(path).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{path:?}");
        }
        assert!(open_or_create(&link).is_err() && open_or_create(&nowhere).is_err());
        assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
        assert!(!base.path().join("new").exists());
    }

    #[test]
    fn files_of_ours_that_are_open_to_others_are_closed_and_no_others() {
        let base = tempfile::tempdir().unwrap();
        let [ours, linked, link, twice] =
            ["ours", "linked", "link", "twice"].map(|name| base.path().join(name));
        for path in [&ours, &linked, &twice] {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        }
        symlink(&linked, &link).unwrap();
        fs::hard_link(&twice, base.path().join("again")).unwrap();
        for path in [&ours, &link, &twice] {
            tighten(path);
        }
        assert_eq!([mode(&ours), mode(&linked), mode(&twice)], [0o600, 0o644, 0o644]);
        let file = open_or_create(&linked).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, FILE);
    }
}
