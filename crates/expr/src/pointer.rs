//! JSON pointers of the values that a walk visits.

/// Pointers to the secret parts of a value.
pub(crate) type Pointers = Vec<String>;

/// Runs `visit` with the pointer one level down.
pub(crate) fn below<T>(pointer: &mut String, key: &str, visit: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    push(pointer, key);
    let result = visit(pointer);
    pointer.truncate(length);
    result
}

/// One level down.
pub(crate) fn push(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
}
