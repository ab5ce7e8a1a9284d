//! The operator token: the existing one, or a new one.

use crate::api::token;
use crate::home::fs;
use crate::home::paths::Home;

use super::serve_error::ServeError;

/// A larger file is not a token.
const MAX: u64 = 64 * 1024;

/// The existing token. `None`: there is none yet, or an empty file.
///
/// # Errors
/// It cannot be read, or contains something else.
pub(crate) fn look(home: &Home) -> Result<Option<String>, ServeError> {
    let bytes = fs::read_if_there(&home.operator_token(), MAX).map_err(|error| failed(home, &error))?;
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    match token::from_file(&text) {
        Some(token) => Ok(Some(token)),
        None if text.trim().is_empty() => Ok(None),
        None => Err(ServeError::Token {
            path: home.operator_token(),
            why: "it does not hold a token; delete it to get a new one".to_owned(),
        }),
    }
}

/// The existing token, made private, or a new one. A token of the original hub is an opaque secret like any
/// other.
///
/// # Errors
/// It cannot be read, or not be written.
pub(crate) fn take(home: &Home) -> Result<String, ServeError> {
    let path = home.operator_token();
    if let Some(token) = look(home)? {
        fs::set_mode(&path, fs::PRIVATE).map_err(|error| failed(home, &error))?;
        return Ok(token);
    }
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random)
        .map_err(|error| ServeError::Token { path: path.clone(), why: error.to_string() })?;
    let token = token::generate(random);
    fs::put(&path, fs::PRIVATE, format!("{token}\n").as_bytes()).map_err(|error| failed(home, &error))?;
    Ok(token)
}

fn failed(home: &Home, error: &dyn std::error::Error) -> ServeError {
    let why = match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    ServeError::Token { path: home.operator_token(), why }
}
