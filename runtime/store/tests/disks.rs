//! Do all disks keep the same promises?

use spectradb_store::{Disk, MemDisk, OsDisk, SimDisk, StoreError};

fn behaves(disk: &dyn Disk) {
    assert!(matches!(disk.open("a"), Err(StoreError::Missing { file }) if file == "a"));
    assert!(matches!(disk.map("a"), Err(StoreError::Missing { .. })));
    assert!(matches!(disk.remove("a"), Err(StoreError::Missing { .. })));
    assert!(matches!(disk.rename("a", "b"), Err(StoreError::Missing { .. })));
    let file = disk.create("a").expect("there is room");
    assert!(file.is_empty().expect("it can be read"));
    assert_eq!(disk.map("a").expect("it is there").len(), 0);
    file.write_at(b"hello", 3).expect("there is room");
    file.sync().expect("no fault");
    assert_eq!(file.len().expect("it can be read"), 8);
    let mut bytes = [9; 8];
    file.read_at(&mut bytes, 0).expect("eight bytes");
    assert_eq!(&bytes, b"\0\0\0hello");
    let past = file.read_at(&mut bytes, 1).expect_err("seven bytes are left");
    assert!(matches!(past, StoreError::Corrupt { ref file, .. } if file == "a"), "{past}");
    file.set_len(6).expect("it can be cut");
    file.preallocate(4).expect("it is longer");
    assert_eq!(file.len().expect("it can be read"), 6);

    let map = disk.map("a").expect("it is there");
    assert_eq!((&map[..], map.as_ptr() as usize % 64), (b"\0\0\0hel".as_slice(), 0));
    disk.create("b").expect("there is room");
    disk.rename("a", "b").expect("it is there");
    disk.sync_dir().expect("no fault");
    assert_eq!(disk.map("b").expect("renamed"), map);
    disk.remove("b").expect("it is there");
    assert_eq!(&map[..], b"\0\0\0hel", "who has it mapped keeps it");
    drop(disk.create("c").expect("there is room"));

    let lock = disk.lock("lock").expect("it is free");
    let refused = disk.lock("lock").expect_err("it is held").to_string();
    assert_eq!(refused, format!("database is locked by process {}", std::process::id()));
    drop(lock);
    drop(disk.lock("lock").expect("it is free again"));
    let mut names = disk.list().expect("it can be listed");
    names.retain(|name| name != "lock");
    assert_eq!(names, ["c"]);
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    behaves(&OsDisk::open(&folder.path().join("one/two")).expect("it is made"));
}

/// Whoever is refused is told who holds the lock: the number in its file, or that nobody wrote one.
#[test]
#[expect(clippy::disallowed_methods, reason = "another process's hold on the lock is made by hand")]
fn the_holder_of_a_lock_is_named_as_its_file_says() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let disk = OsDisk::open(folder.path()).expect("it is there");
    let held = std::fs::File::create(folder.path().join("lock")).expect("there is room");
    held.lock().expect("it is free");
    let told = || disk.lock("lock").expect_err("it is held").to_string();
    // A holder that has just got it may not have written its number yet: it is waited for, not for ever.
    assert_eq!(told(), "database is locked by another process");
    std::io::Write::write_all(&mut &held, b"4711\n").expect("there is room");
    assert_eq!(told(), "database is locked by process 4711");
    drop(held);
    drop(disk.lock("lock").expect("it is free again"));
}

#[test]
fn memory() {
    behaves(&MemDisk::new());
}

#[test]
fn simulated() {
    behaves(&SimDisk::new(1));
}

#[cfg(all(feature = "io-uring", target_os = "linux"))]
#[test]
fn a_folder_through_io_uring() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let disk = spectradb_store::UringDisk::over(OsDisk::open(&folder.path().join("one/two")).expect("it is made"));
    if disk.backend() != spectradb_store::IoBackend::Uring {
        println!("not through io_uring here: {}", disk.backend());
    }
    behaves(&*disk);
}

#[cfg(not(all(feature = "io-uring", target_os = "linux")))]
#[test]
fn io_uring_that_was_not_built_in_is_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let disk = spectradb_store::fs::open_folder(folder.path(), true, false).expect("it is made");
    assert_eq!(disk.backend().to_string(), "ordinary calls: this program was built without io_uring");
}
