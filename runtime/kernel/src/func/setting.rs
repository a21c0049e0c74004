//! What is a setting of the session worth?
//!
//! The settings come as one object of JSON, which is fixed when the statement starts: so a plan is shared by sessions that
//! differ in them, and a function asks for no session.
//!
//! Not here: which settings there are (`runtime::settings`).

use super::{Fault, json, lift::functions};

/// A setting's value; a name that is none is a fault.
pub fn setting(settings: &str, name: &str, out: &mut String) -> Fault {
    if setting_or_null(settings, name, out) { Fault::Ok } else { Fault::InvalidArgument }
}

/// A setting's value; nothing for a name that is none.
pub fn setting_or_null(settings: &str, name: &str, out: &mut String) -> bool {
    let mut value = String::new();
    let is_there = json::get(settings, &name.to_lowercase(), &mut value);
    if is_there {
        json::display(&value, out);
    }
    is_there
}

functions! { "func::setting";
    "$setting" (Json, Text) -> Text, Fallible, setting, "The value of one of the settings.";
    "$setting_or_null" (Json, Text) -> Text, Partial, setting_or_null, "The value of one of the settings; NULL where there is none of the name.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_whatever_its_case() {
        let settings = r#"{"time_zone": "UTC", "memory_limit": "64MB"}"#;
        let mut out = String::new();
        assert_eq!((setting(settings, "Memory_Limit", &mut out), out.as_str()), (Fault::Ok, "64MB"));
        assert_eq!(setting(settings, "memory", &mut String::new()), Fault::InvalidArgument);
        assert!(!setting_or_null(settings, "", &mut String::new()));
    }
}
