//! Owner documents in a folder.

use std::{
    ffi::OsString,
    fs::File,
    io::{ErrorKind, Read},
    path::{Component, Path, PathBuf},
};

use lead::LeadId;

use super::template::PLACEHOLDER;

/// Owner documents in a folder: a path with a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// The part before the component with the placeholder, which has to exist.
    fixed: PathBuf,
    /// The rest.
    document: PathBuf,
}

impl Folder {
    /// The documents at a path with a placeholder.
    pub(super) fn of(path: &Path) -> Self {
        let has_placeholder = |component: &Component<'_>| {
            component.as_os_str().to_str().is_some_and(|text| text.contains(PLACEHOLDER))
        };
        let fixed: PathBuf = path.components().take_while(|component| !has_placeholder(component)).collect();
        let document = path.strip_prefix(&fixed).unwrap_or(path).to_owned();
        Self { fixed, document }
    }

    /// The path of a document, with the placeholder.
    pub(super) fn document(&self) -> PathBuf {
        self.fixed.join(&self.document)
    }

    /// The path of a lead's document.
    fn document_of(&self, lead: &LeadId) -> PathBuf {
        let components = self.document.components().map(|component| {
            let name = component.as_os_str();
            name.to_str().map_or_else(
                || name.to_owned(),
                |text| OsString::from(text.replace(PLACEHOLDER, lead.as_str())),
            )
        });
        self.fixed.join(components.collect::<PathBuf>())
    }

    /// A lead's document, up to one byte more than `limit`; `None` where there is none. A missing folder is an error in the
    /// configuration and not a lead without an owner.
    pub(super) fn read(&self, lead: &LeadId, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let path = self.document_of(lead);
        let about = |error: std::io::Error| format!("{}: {error}", path.display());
        match path.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return if self.fixed.is_dir() {
                    Ok(None)
                } else {
                    Err(format!("{} is not a folder", self.fixed.display()))
                };
            }
            Err(error) => return Err(about(error)),
            // Such as a pipe: opening it would block.
            Ok(found) if !found.is_file() => return Err(format!("{} is not a file", path.display())),
            Ok(_) => {}
        }
        let mut body = Vec::new();
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        File::open(&path).and_then(|file| file.take(bound).read_to_end(&mut body)).map_err(about)?;
        Ok(Some(body))
    }
}
