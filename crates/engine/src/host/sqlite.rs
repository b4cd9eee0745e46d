//! SQLite databases: the library that marsh links, for `node:sqlite` and `Deno.openKv`.
//!
//! * Operations run on the JavaScript thread, as `node:sqlite` has them; they end when their code has to stop, be it that
//!   they compute or that they wait for another connection's lock.
//! * A database stays in its file: `ATTACH` and extensions are off.
//! * Rows, and databases in memory, are held to the runtime's memory limit.
//!
//! Held by `tests/it/sqlite.rs`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, OpenFlags, Statement, ffi};
use serde::Deserialize;

use crate::gate::{
    Arg, Args, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, READ_WRITE, Val,
    plain,
};
use crate::lock::lock;
use crate::shared::Shared;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("sqlite.open", READ_WRITE, Determinism::ChangesWorld, Cost::Disk, open),
    plain("sqlite.exec", READ_WRITE, Determinism::ChangesWorld, Cost::Disk, exec),
    plain("sqlite.prepare", READ_WRITE, Determinism::ChangesWorld, Cost::Disk, prepare),
    plain("sqlite.query", READ_WRITE, Determinism::ChangesWorld, Cost::Disk, query),
    plain("sqlite.expanded", READ_WRITE, Determinism::ChangesWorld, Cost::Instant, expanded),
    plain("sqlite.inTransaction", NONE, Determinism::ReadsWorld, Cost::Instant, in_transaction),
    plain("sqlite.close", NONE, Determinism::ChangesWorld, Cost::Disk, close),
];

/// Statements that a connection keeps compiled.
const STATEMENTS: usize = 128;
/// Steps of SQLite's machine between two looks whether the code has to stop.
const STEPS: c_int = 10_000;
const LONGEST_NAP: Duration = Duration::from_millis(20);
/// The largest integer that a JavaScript number holds exactly.
const MAX_SAFE: i64 = (1 << 53) - 1;

/// Open databases by number.
pub(crate) type Databases = Mutex<HashMap<u64, Arc<Mutex<Database>>>>;

pub(crate) struct Database {
    connection: Connection,
    timeout: Duration,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Options {
    read_only: bool,
    /// Milliseconds.
    timeout: u32,
    enable_foreign_key_constraints: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { read_only: false, timeout: 0, enable_foreign_key_constraints: true }
    }
}

/// For whom SQLite works on this thread, and until when it may wait for a lock.
struct Running {
    shared: Arc<Shared>,
    patience: Instant,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

fn must_stop() -> bool {
    RUNNING.with_borrow(|running| running.as_ref().is_some_and(|running| running.shared.must_stop()))
}

extern "C" fn look(_: *mut c_void) -> c_int {
    c_int::from(must_stop())
}

/// Another connection holds a lock: whether to try again.
fn busy(count: c_int) -> bool {
    let patience = RUNNING.with_borrow(|running| running.as_ref().map(|running| running.patience));
    if must_stop() || patience.is_none_or(|patience| Instant::now() >= patience) {
        return false;
    }
    std::thread::sleep(Duration::from_millis(count.unsigned_abs().into()).min(LONGEST_NAP));
    true
}

fn with_code(class: ErrorClass, code: &str, message: String) -> HostError {
    HostError { code: Some(code.to_owned()), ..HostError::new(class, message) }
}

fn failed(error: &Error) -> HostError {
    let mut failed = with_code(ErrorClass::Error, "ERR_SQLITE_ERROR", error.to_string());
    if let Error::SqliteFailure(sqlite, text) = error {
        failed.message = text.clone().unwrap_or_else(|| sqlite.to_string());
        failed.data = Some(serde_json::json!({ "errcode": sqlite.extended_code }).to_string());
    }
    if let Error::SqlInputError { msg, .. } = error {
        failed.message.clone_from(msg);
        failed.data = Some(serde_json::json!({ "errcode": ffi::SQLITE_ERROR }).to_string());
    }
    failed
}

fn closed() -> HostError {
    with_code(ErrorClass::Error, "ERR_INVALID_STATE", "database is not open".to_owned())
}

/// `(path or ":memory:", options)` to the number of the database.
fn open(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let options: Options = if args.is_none(1) { Options::default() } else { args.json(1)? };
    let limit = env.shared.heap.limit();
    let in_memory = path == ":memory:" || path.is_empty();
    let mode = if options.read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    let opened = if in_memory {
        Connection::open_in_memory()
    } else {
        Connection::open_with_flags(env.path(path), mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    };
    let mut connection = opened.map_err(|error| failed(&error))?;
    let length = c_int::try_from(limit.min(1 << 30)).unwrap_or(c_int::MAX);
    // SAFETY: the handle is that of the open connection; the calls set two numbers and a callback without state, which
    // lives as long as the program.
    unsafe {
        let handle = connection.handle();
        ffi::sqlite3_limit(handle, ffi::SQLITE_LIMIT_LENGTH, length);
        ffi::sqlite3_limit(handle, ffi::SQLITE_LIMIT_ATTACHED, 0);
        ffi::sqlite3_progress_handler(handle, STEPS, Some(look), std::ptr::null_mut());
    }
    connection.busy_handler(Some(busy)).map_err(|error| failed(&error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let foreign = u8::from(options.enable_foreign_key_constraints);
    let mut setup = format!("PRAGMA foreign_keys = {foreign};");
    if in_memory {
        // Pages have 4096 bytes.
        setup.push_str(&format!(
            "PRAGMA temp_store = MEMORY; PRAGMA max_page_count = {};",
            (limit / 4096).max(1)
        ));
    }
    connection.execute_batch(&setup).map_err(|error| failed(&error))?;
    let id = env.next_id();
    let timeout = Duration::from_millis(options.timeout.into());
    lock(&env.databases).insert(id, Arc::new(Mutex::new(Database { connection, timeout })));
    Ok(Val::Num(id as f64))
}

/// Runs `work` on the database, so that it ends when the code has to stop.
fn on<T>(
    env: &Env,
    args: &Args,
    work: impl FnOnce(&Connection) -> Result<T, HostError>,
) -> Result<T, HostError> {
    let database = lock(&env.databases).get(&(args.num(0)? as u64)).cloned().ok_or_else(closed)?;
    let database = lock(&database);
    let patience = Instant::now() + database.timeout;
    RUNNING.set(Some(Running { shared: env.shared.clone(), patience }));
    let outcome = work(&database.connection);
    RUNNING.set(None);
    if env.shared.must_stop() {
        return Err(HostError::new(ErrorClass::Uncatchable, "the statement was interrupted"));
    }
    outcome
}

fn exec(env: &Env, args: &Args) -> HostResult {
    on(env, args, |connection| {
        connection.execute_batch(args.str(1)?).map(|()| Val::Undefined).map_err(|error| failed(&error))
    })
}

/// `(database, SQL)` to `[names of columns, names of parameters]`.
fn prepare(env: &Env, args: &Args) -> HostResult {
    on(env, args, |connection| {
        let statement = connection.prepare_cached(args.str(1)?).map_err(|error| failed(&error))?;
        let columns = statement.column_names().map(|name| Val::Str(name.to_owned())).collect();
        let names = (1..=statement.parameter_count())
            .map(|at| statement.parameter_name(at).map_or(Val::Null, |name| Val::Str(name.to_owned())))
            .collect();
        Ok(Val::List(vec![Val::List(columns), Val::List(names)]))
    })
}

/// The parameters from argument `from` on: each a kind and a value, since JavaScript has more kinds of numbers than one.
fn bind(statement: &mut Statement<'_>, args: &Args, from: usize) -> Result<(), HostError> {
    let given = args.all().get(from..).unwrap_or_default();
    for (at, pair) in given.chunks(2).enumerate() {
        let value = match pair {
            [Arg::Str(kind), Arg::Str(text)] if kind == "bigint" => {
                let number = text.parse().map_err(|_| {
                    let message = "BigInt value is too large to bind".to_owned();
                    with_code(ErrorClass::TypeError, "ERR_INVALID_ARG_VALUE", message)
                })?;
                Value::Integer(number)
            }
            [_, Arg::Num(number)] => Value::Real(*number),
            [_, Arg::Str(text)] => Value::Text(text.clone()),
            [_, Arg::Bytes(bytes)] => Value::Blob(bytes.clone()),
            _ => Value::Null,
        };
        statement.raw_bind_parameter(at + 1, value).map_err(|error| failed(&error))?;
    }
    Ok(())
}

fn value(of: ValueRef<'_>, big: bool) -> Result<Val, HostError> {
    Ok(match of {
        ValueRef::Null => Val::Null,
        ValueRef::Integer(number) if big => Val::Map(vec![("bigint", Val::Str(number.to_string()))]),
        ValueRef::Integer(number) if number.unsigned_abs() > MAX_SAFE.unsigned_abs() => {
            let message = format!("Value is too large to be represented as a JavaScript number: {number}");
            return Err(with_code(ErrorClass::RangeError, "ERR_OUT_OF_RANGE", message));
        }
        ValueRef::Integer(number) => Val::Num(number as f64),
        ValueRef::Real(number) => Val::Num(number),
        ValueRef::Text(text) => Val::Str(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Val::Bytes(bytes.to_vec()),
    })
}

/// `(database, SQL, integers as BigInt?, rows wanted, parameters…)` to `[rows, changes, last row id]`.
fn query(env: &Env, args: &Args) -> HostResult {
    let (big, wanted) = (args.bool(2), args.num(3)? as usize);
    let limit = env.shared.heap.limit();
    on(env, args, |connection| {
        let mut statement = connection.prepare_cached(args.str(1)?).map_err(|error| failed(&error))?;
        bind(&mut statement, args, 4)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            if found.len() >= wanted {
                // A statement that changes something runs to its end, whatever of its rows is wanted.
                continue;
            }
            let mut cells = Vec::with_capacity(columns);
            for at in 0..columns {
                let cell = row.get_ref(at).map_err(|error| failed(&error))?;
                bytes += match cell {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() + 64,
                    _ => 64,
                };
                cells.push(value(cell, big)?);
            }
            if bytes > limit {
                return Err(HostError::new(ErrorClass::RangeError, "the rows do not fit the memory limit"));
            }
            found.push(Val::List(cells));
        }
        drop(rows);
        let count = |number: i64| value(ValueRef::Integer(number), big);
        let changes = i64::try_from(connection.changes()).unwrap_or(i64::MAX);
        Ok(Val::List(vec![Val::List(found), count(changes)?, count(connection.last_insert_rowid())?]))
    })
}

/// `(database, SQL, parameters…)` to the SQL with the parameters in it.
fn expanded(env: &Env, args: &Args) -> HostResult {
    on(env, args, |connection| {
        let mut statement = connection.prepare(args.str(1)?).map_err(|error| failed(&error))?;
        bind(&mut statement, args, 2)?;
        Ok(statement.expanded_sql().map_or(Val::Null, Val::Str))
    })
}

fn in_transaction(env: &Env, args: &Args) -> HostResult {
    on(env, args, |connection| Ok(Val::Bool(!connection.is_autocommit())))
}

fn close(env: &Env, args: &Args) -> HostResult {
    let database = lock(&env.databases).remove(&(args.num(0)? as u64));
    database.map(|_| Val::Undefined).ok_or_else(closed)
}
