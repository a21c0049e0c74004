//! Which JSON says a digest, which a proof?
//!
//! One object, its fields sorted by name, no space between: the same digest always gives the same bytes, so that they can
//! be signed. Hashes and messages are lower-case hexadecimal. Reading is strict: a field that is missing, unknown, or of
//! another kind is refused, for whoever checks a proof must not overlook a part of it.
//!
//! Not here: whether a proof holds (`spectradb_store::proof`).

use crate::error::{Error, Result, code};
use serde_json::{Map, Value as Json, json};
use spectradb_kernel::schema::TableId;
use spectradb_store::proof::{
    ConsistencyProof, Digest, ErasedProof, InclusionProof, LeafProof, Opening, RecordHeader, RecordProof, SchemaProof,
};

const DIGEST: &str = "spectradb digest 1";
const PROOF: &str = "spectradb proof 1";
const HASH: &str = "blake3";

/// A proof of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one is made and read, and not kept")]
pub enum Proof {
    /// Something is in the ledger.
    Inclusion(InclusionProof),
    /// A ledger goes on from a shorter one.
    Consistency(ConsistencyProof),
}

/// A digest as JSON.
pub fn digest_json(digest: &Digest) -> String {
    json!({
        "format": DIGEST,
        "hash": HASH,
        "database": hex(&digest.database),
        "timeline": digest.timeline,
        "records": digest.records,
        "root": hex(&digest.root),
        "link": hex(&digest.link),
        "commit": digest.commit,
        "instant": digest.instant,
    })
    .to_string()
}

/// A digest that [`digest_json`] wrote.
///
/// # Errors
/// 22023 when the text is none.
pub fn digest_from_json(text: &str) -> Result<Digest> {
    let mut fields = Fields::read(text, DIGEST)?;
    let digest = Digest {
        database: fields.bytes("database")?,
        timeline: fields.number("timeline")?,
        records: fields.number("records")?,
        root: fields.bytes("root")?,
        link: fields.bytes("link")?,
        commit: fields.number("commit")?,
        instant: match fields.take("instant")? {
            Json::Null => None,
            instant => Some(instant.as_i64().ok_or_else(|| fields.wrong("instant"))?),
        },
    };
    fields.end()?;
    Ok(digest)
}

/// A proof as JSON.
pub fn proof_json(proof: &Proof) -> String {
    match proof {
        Proof::Inclusion(proof) => {
            let mut fields = json!({
                "format": PROOF,
                "hash": HASH,
                "kind": "inclusion",
                "database": hex(&proof.database),
                "timeline": proof.timeline,
                "records": proof.records,
                "record": record_json(&proof.record),
            });
            if let Some(leaf) = &proof.leaf {
                fields["leaf"] = leaf_json(leaf);
            }
            if let Some(schema) = &proof.schema {
                fields["schema"] = json!({ "record": record_json(&schema.record), "change": hex(&schema.change) });
            }
            if let Some(erased) = &proof.erased {
                fields["erased"] = json!({
                    "leaf": hex(&erased.leaf),
                    "place": erased.leaf_idx,
                    "count": erased.leaf_count,
                    "path": hexes(&erased.path),
                });
            }
            fields.to_string()
        }
        Proof::Consistency(proof) => json!({
            "format": PROOF,
            "hash": HASH,
            "kind": "consistency",
            "database": hex(&proof.database),
            "timeline": proof.timeline,
            "old_records": proof.old_records,
            "new_records": proof.new_records,
            "path": hexes(&proof.path),
        })
        .to_string(),
    }
}

/// A proof that [`proof_json`] wrote.
///
/// # Errors
/// 22023 when the text is none.
pub fn proof_from_json(text: &str) -> Result<Proof> {
    let mut fields = Fields::read(text, PROOF)?;
    let proof = match fields.text("kind")?.as_str() {
        "inclusion" => Proof::Inclusion(InclusionProof {
            database: fields.bytes("database")?,
            timeline: fields.number("timeline")?,
            records: fields.number("records")?,
            record: read_record(fields.object("record")?)?,
            leaf: fields.optional("leaf").map(read_leaf).transpose()?,
            schema: fields.optional("schema").map(read_schema).transpose()?,
            erased: fields.optional("erased").map(read_erased).transpose()?,
        }),
        "consistency" => Proof::Consistency(ConsistencyProof {
            database: fields.bytes("database")?,
            timeline: fields.number("timeline")?,
            old_records: fields.number("old_records")?,
            new_records: fields.number("new_records")?,
            path: fields.path("path")?,
        }),
        _ => return Err(fields.wrong("kind")),
    };
    fields.end()?;
    Ok(proof)
}

fn record_json(record: &RecordProof) -> Json {
    json!({
        "kind": record.header.kind,
        "timeline": record.header.timeline,
        "record": record.header.record,
        "commit": record.header.commit,
        "instant": record.header.instant,
        "catalog_version": record.header.catalog_version,
        "epoch": record.header.epoch,
        "term": record.header.term,
        "previous": hex(&record.header.previous),
        "root": hex(&record.root),
        "path": hexes(&record.path),
    })
}

fn read_record(mut fields: Fields) -> Result<RecordProof> {
    let header = RecordHeader {
        kind: fields.number("kind")?,
        timeline: fields.number("timeline")?,
        record: fields.number("record")?,
        commit: fields.number("commit")?,
        instant: fields.number("instant")?,
        catalog_version: fields.number("catalog_version")?,
        epoch: fields.number("epoch")?,
        term: fields.number("term")?,
        previous: fields.bytes("previous")?,
    };
    let record = RecordProof { header, root: fields.bytes("root")?, path: fields.path("path")? };
    fields.end()?;
    Ok(record)
}

fn opening_json(opening: &Opening) -> Json {
    match opening {
        Opening::Open(message) => json!({ "open": hex(message) }),
        Opening::Closed(commitment) => json!({ "closed": hex(commitment) }),
    }
}

fn read_opening(mut fields: Fields) -> Result<Opening> {
    let opening = match fields.is_there("open") {
        true => Opening::Open(fields.message("open")?),
        false => Opening::Closed(fields.bytes("closed")?),
    };
    fields.end()?;
    Ok(opening)
}

fn leaf_json(leaf: &LeafProof) -> Json {
    json!({
        "table": leaf.table.0,
        "schema_version": leaf.schema_version,
        "op": leaf.op,
        "key_and_period": opening_json(&leaf.key_and_period),
        "columns": opening_json(&leaf.columns),
        "place": leaf.leaf_idx,
        "count": leaf.leaf_count,
        "path": hexes(&leaf.path),
    })
}

fn read_leaf(leaf: Json) -> Result<LeafProof> {
    let mut fields = Fields::of("leaf", leaf)?;
    let leaf = LeafProof {
        table: TableId(fields.number("table")?),
        schema_version: fields.number("schema_version")?,
        op: fields.number("op")?,
        key_and_period: read_opening(fields.object("key_and_period")?)?,
        columns: read_opening(fields.object("columns")?)?,
        leaf_idx: fields.number("place")?,
        leaf_count: fields.number("count")?,
        path: fields.path("path")?,
    };
    fields.end()?;
    Ok(leaf)
}

fn read_erased(erased: Json) -> Result<ErasedProof> {
    let mut fields = Fields::of("erased", erased)?;
    let erased = ErasedProof {
        leaf: fields.bytes("leaf")?,
        leaf_idx: fields.number("place")?,
        leaf_count: fields.number("count")?,
        path: fields.path("path")?,
    };
    fields.end()?;
    Ok(erased)
}

fn read_schema(schema: Json) -> Result<SchemaProof> {
    let mut fields = Fields::of("schema", schema)?;
    let schema = SchemaProof { record: read_record(fields.object("record")?)?, change: fields.message("change")? };
    fields.end()?;
    Ok(schema)
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|byte| write!(text, "{byte:02x}").expect("a String takes all"));
    text
}

fn hexes(hashes: &[[u8; 32]]) -> Vec<String> {
    hashes.iter().map(|hash| hex(hash)).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// The fields of an object that are still to be read.
struct Fields {
    of: &'static str,
    left: Map<String, Json>,
}

impl Fields {
    fn of(of: &'static str, json: Json) -> Result<Fields> {
        match json {
            Json::Object(left) => Ok(Fields { of, left }),
            _ => Err(Error::new(code::INVALID_PARAMETER, format!("\"{of}\" is not an object"))),
        }
    }

    fn read(text: &str, format: &'static str) -> Result<Fields> {
        let json: Json = serde_json::from_str(text)
            .map_err(|error| Error::new(code::INVALID_PARAMETER, format!("this is not JSON: {error}")))?;
        let mut fields = Fields::of(format, json)?;
        if fields.text("format")? != format {
            return Err(fields.wrong("format"));
        }
        if fields.text("hash")? != HASH {
            return Err(fields.wrong("hash"));
        }
        Ok(fields)
    }

    fn wrong(&self, name: &str) -> Error {
        Error::new(
            code::INVALID_PARAMETER,
            format!("field \"{name}\" of a {} is missing or not what it must be", self.of),
        )
    }

    fn is_there(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    fn take(&mut self, name: &str) -> Result<Json> {
        self.left.remove(name).ok_or_else(|| self.wrong(name))
    }

    fn optional(&mut self, name: &str) -> Option<Json> {
        self.left.remove(name)
    }

    fn text(&mut self, name: &str) -> Result<String> {
        match self.take(name)? {
            Json::String(text) => Ok(text),
            _ => Err(self.wrong(name)),
        }
    }

    fn number<N: TryFrom<i128>>(&mut self, name: &str) -> Result<N> {
        let given = self.take(name)?;
        let wide = given.as_u64().map(i128::from).or_else(|| given.as_i64().map(i128::from));
        wide.and_then(|wide| N::try_from(wide).ok()).ok_or_else(|| self.wrong(name))
    }

    fn message(&mut self, name: &str) -> Result<Vec<u8>> {
        let text = self.text(name)?;
        unhex(&text).ok_or_else(|| self.wrong(name))
    }

    fn bytes<const N: usize>(&mut self, name: &str) -> Result<[u8; N]> {
        self.message(name)?.try_into().map_err(|_| self.wrong(name))
    }

    fn path(&mut self, name: &str) -> Result<Vec<[u8; 32]>> {
        let Json::Array(hashes) = self.take(name)? else { return Err(self.wrong(name)) };
        let read = |hash: &Json| unhex(hash.as_str()?)?.try_into().ok();
        hashes.iter().map(read).collect::<Option<Vec<_>>>().ok_or_else(|| self.wrong(name))
    }

    fn object(&mut self, name: &'static str) -> Result<Fields> {
        let json = self.take(name)?;
        Fields::of(name, json)
    }

    fn end(&self) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => {
                let message = format!("a {} has no field \"{name}\"", self.of);
                Err(Error::new(code::INVALID_PARAMETER, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        let (root, link) = ([0xab; 32], [1; 32]);
        Digest { database: [7; 16], timeline: 1, records: 9, root, link, commit: 8, instant: Some(-5) }
    }

    /// Signatures are over these bytes: they do not change.
    #[test]
    fn a_digest_has_one_text() {
        let text = digest_json(&digest());
        let expected = format!(
            r#"{{"commit":8,"database":"{}","format":"spectradb digest 1","hash":"blake3","instant":-5,"link":"{}","records":9,"root":"{}","timeline":1}}"#,
            "07".repeat(16),
            "01".repeat(32),
            "ab".repeat(32)
        );
        assert_eq!(text, expected);
        assert_eq!(digest_from_json(&text).expect("it is one"), digest());
        let none = Digest { instant: None, commit: 0, ..digest() };
        assert_eq!(digest_from_json(&digest_json(&none)).expect("it is one"), none);
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let text = digest_json(&digest());
        for (from, to) in [
            ("\"commit\":8", "\"commit\":-8"),
            ("\"commit\":8,", ""),
            ("\"commit\":8", "\"commit\":8,\"more\":1"),
            ("digest 1", "digest 2"),
            ("blake3", "md5"),
            ("0707", "07"),
            ("0707", "07G7"),
            ("\"timeline\":1", "\"timeline\":4294967296"),
            ("-5", "\"then\""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(digest_from_json(&changed).is_err(), "{changed}");
        }
        assert!(digest_from_json("").is_err() && digest_from_json("[]").is_err() && proof_from_json(&text).is_err());
    }
}
