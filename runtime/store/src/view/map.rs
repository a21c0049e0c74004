//! How is a file's content shared with the page cache instead of copied?
//!
//! Holds: a mapped file is one that nobody writes again; it can lose its name, never its content.
//! Not here: checking what the bytes say.

use bytes::Bytes;
use memmap2::Mmap;
use std::{fs::File, io};

/// The file's pages as shared bytes; they stay mapped while someone holds them.
///
/// # Errors
/// What the system says when it refuses the map.
#[expect(unsafe_code, reason = "mapping a file is this room's purpose")]
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // WHY: segments are read in place by every scan and point read; reading them into buffers would double the memory of
    // each and copy bytes that most reads skip.
    // SAFETY: the store maps only files that were synced and published under their final name. No code of ours writes,
    // cuts or reuses such a file, only its name is removed, and the lock keeps other processes of ours out.
    let map = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
