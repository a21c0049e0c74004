//! How does a transaction begin, and how does it go back to where it was?
//!
//! [`TransactionOptions`] say what a transaction is kept from seeing of others and what the ledger is told of it. A
//! savepoint keeps what the transaction had changed by then: coming back to it undoes what came later, also an error, as in
//! PostgreSQL.
//!
//! Not here: running statements (`session`), what a transaction has changed (`txn`).

use crate::{
    error::{Error, Result, code},
    session::{Session, State, in_failed_transaction, no_transaction},
    txn::Txn,
};
use spectradb_grammar::{
    ast::TransactionModes,
    diag::nearest,
    plan::{Begin, TransactionOption},
};
use spectradb_kernel::{Value, time::Timestamp};
use spectradb_store::config::Durability;

pub use spectradb_grammar::ast::Isolation;

/// What is said of a transaction when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionOptions {
    /// What it is kept from seeing of others.
    pub isolation: Isolation,
    /// Are its statements refused when they write?
    pub read_only: bool,
    /// Who does it.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The request that it belongs to.
    pub request_id: Option<String>,
    /// A JSON object with anything else.
    pub metadata: Option<String>,
    /// When it was recorded, where it is told afterwards: later than the last commit, and not in the future.
    pub system_time: Option<Timestamp>,
    /// When its commit is acknowledged; `None` is as the session, and then the database, has it.
    pub durability: Option<Durability>,
}

impl Default for TransactionOptions {
    fn default() -> TransactionOptions {
        TransactionOptions {
            isolation: Isolation::Snapshot,
            read_only: false,
            actor: None,
            reason: None,
            request_id: None,
            metadata: None,
            system_time: None,
            durability: None,
        }
    }
}

impl TransactionOptions {
    fn set(&mut self, modes: TransactionModes) {
        self.isolation = modes.isolation.unwrap_or(self.isolation);
        self.read_only = modes.read_only.unwrap_or(self.read_only);
    }

    /// The options that a BEGIN states, given their values.
    ///
    /// # Errors
    /// 22023 for a durability that there is not.
    pub(crate) fn of(begin: &Begin, values: Vec<Value>) -> Result<TransactionOptions> {
        let mut options = TransactionOptions::default();
        options.set(begin.modes);
        for (option, value) in begin.options.iter().zip(values) {
            let text = match &value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            };
            match option {
                TransactionOption::Actor => options.actor = text,
                TransactionOption::Reason => options.reason = text,
                TransactionOption::RequestId => options.request_id = text,
                TransactionOption::Metadata => options.metadata = text,
                TransactionOption::Durability => options.durability = text.map(durability_of).transpose()?,
                TransactionOption::SystemTime => {
                    options.system_time = match value {
                        Value::Timestamp(at) => Some(at),
                        // Now would be recorded for ever.
                        _ => {
                            let message = "the system time of a transaction is NULL";
                            return Err(Error::new(code::NULL_NOT_ALLOWED, message)
                                .with_help("leave system_time away to record now"));
                        }
                    }
                }
            }
        }
        Ok(options)
    }

    /// What the ledger is told, as JSON; `None` when that is nothing.
    ///
    /// # Errors
    /// 22023 when the metadata is not a JSON object.
    pub(crate) fn to_metadata(&self) -> Result<Option<String>> {
        let mut told = serde_json::Map::new();
        for (name, text) in [("actor", &self.actor), ("reason", &self.reason), ("request_id", &self.request_id)] {
            if let Some(text) = text {
                told.insert(name.to_owned(), text.clone().into());
            }
        }
        if let Some(metadata) = &self.metadata {
            match serde_json::from_str::<serde_json::Value>(metadata) {
                Ok(object @ serde_json::Value::Object(_)) => {
                    told.insert("metadata".to_owned(), object);
                }
                Ok(_) | Err(_) => {
                    return Err(Error::new(code::INVALID_PARAMETER, "a transaction's metadata is a JSON object")
                        .with_help("write metadata = '{\"ticket\": 7}'"));
                }
            }
        }
        Ok((!told.is_empty()).then(|| serde_json::Value::Object(told).to_string()))
    }
}

impl Session {
    /// Begins a transaction and says more of it.
    ///
    /// # Errors
    /// 25001 when one is open; 22023 when the metadata is not a JSON object, or the system time is in the future or not
    /// after the last commit.
    pub fn begin_with(&mut self, options: TransactionOptions) -> Result<()> {
        if self.in_transaction() {
            return Err(Error::new(code::ACTIVE_TRANSACTION, "a transaction is open already")
                .with_help("COMMIT or ROLLBACK it first"));
        }
        self.end_local();
        let txn = self.begin_txn(options)?;
        self.enter(txn);
        Ok(())
    }

    /// SET TRANSACTION: before the first statement that reads or writes, but for READ ONLY, which is said at any time.
    pub(crate) fn set_transaction(&mut self, modes: TransactionModes) -> Result<()> {
        let State::Active(txn) = self.state() else { return Err(no_transaction()) };
        if !txn.is_fresh() {
            if modes == (TransactionModes { isolation: None, read_only: Some(true) }) {
                self.open_txn()?.make_read_only();
                return Ok(());
            }
            return Err(Error::new(code::ACTIVE_TRANSACTION, "SET TRANSACTION must come before any other statement")
                .with_help("say it in BEGIN"));
        }
        let mut options = txn.options().clone();
        options.set(modes);
        let txn = self.begin_txn(options)?;
        self.enter(txn);
        Ok(())
    }

    /// Notes a point to come back to. One of the same name is hidden until this one is released.
    ///
    /// # Errors
    /// 25P01 outside a transaction, 25P02 in a failed one.
    pub fn savepoint(&mut self, name: &str) -> Result<()> {
        self.open_txn()?.savepoint(name);
        Ok(())
    }

    /// Forgets a savepoint and those after it; what was changed since stays.
    ///
    /// # Errors
    /// 25P01 outside a transaction, 25P02 in a failed one, 3B001 when there is no such savepoint.
    pub fn release(&mut self, name: &str) -> Result<()> {
        match self.open_txn()?.release(name) {
            true => Ok(()),
            false => Err(no_savepoint(name)),
        }
    }

    /// Undoes what was changed since a savepoint, which stays; an error since then is forgotten.
    ///
    /// # Errors
    /// 25P01 outside a transaction, 3B001 when there is no such savepoint.
    pub fn rollback_to(&mut self, name: &str) -> Result<()> {
        self.look_for_failed_reads();
        let txn = match self.state() {
            State::Active(txn) | State::Failed(txn) => txn,
            State::Autocommit => return Err(no_transaction()),
        };
        if !txn.rollback_to(name) {
            return Err(no_savepoint(name));
        }
        self.revive();
        Ok(())
    }

    fn open_txn(&mut self) -> Result<&mut Txn> {
        self.look_for_failed_reads();
        match self.state() {
            State::Active(txn) => Ok(txn),
            State::Failed(_) => Err(in_failed_transaction()),
            State::Autocommit => Err(no_transaction()),
        }
    }
}

fn durability_of(name: String) -> Result<Durability> {
    match name.as_str() {
        "synced" => Ok(Durability::Synced),
        "none" => Ok(Durability::None),
        _ => {
            let error = Error::new(code::INVALID_PARAMETER, format!("there is no durability \"{name}\""));
            Err(match nearest(&name, ["synced", "none"]) {
                Some(near) => error.with_help(format!("there is a durability '{near}'")),
                None => error.with_help("a transaction's durability is 'synced' or 'none'"),
            })
        }
    }
}

fn no_savepoint(name: &str) -> Error {
    Error::new(code::INVALID_SAVEPOINT, format!("savepoint \"{name}\" does not exist"))
}
