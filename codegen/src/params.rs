//! Which argument stands for which parameter, and of what type must it be?
//!
//! Each argument is bound to a variable of the parameter's Rust type, so that a wrong one is the compiler's own mismatch
//! at the argument. From there it goes into the query's environment, or as a `Value` into a change.
//!
//! Holds: every parameter has an argument and every argument a parameter.

use crate::{
    expr::ParamSlot,
    input::{Arg, SqlInput},
};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use spectradb_grammar::{
    ast::ParamName,
    diag::{Diag, code, nearest},
    plan::Param,
};
use spectradb_kernel::Type;

/// Arguments matched to parameters.
pub struct Arguments {
    /// What the generator needs to know of each parameter.
    pub slots: Vec<ParamSlot>,
    /// Statements that bind the arguments, outside everything that is generated.
    pub bind: TokenStream,
    /// Fields of the environment.
    pub fields: TokenStream,
    /// Their values.
    pub inits: TokenStream,
    /// The values for a change that is run by the session.
    pub values: Vec<TokenStream>,
}

/// What an argument's fault is.
pub enum Fault {
    /// It points into the SQL.
    Sql(Diag),
    /// It points at an argument.
    Argument(syn::Error),
}

/// Matches the arguments of a call to the parameters of its plan.
///
/// # Errors
/// A parameter without an argument, an argument without a parameter.
pub fn arguments(v1: &TokenStream, input: &SqlInput, params: &[Param]) -> Result<Arguments, Fault> {
    refuse_extra(input, params)?;
    let mut arguments = Arguments {
        slots: Vec::new(),
        bind: TokenStream::new(),
        fields: TokenStream::new(),
        inits: TokenStream::new(),
        values: Vec::new(),
    };
    for (idx, param) in params.iter().enumerate() {
        let arg = argument_of(input, param)?;
        arguments.slots.push(ParamSlot { ty: param.ty, optional: arg.optional });
        arguments.add(v1, idx, param, arg);
    }
    Ok(arguments)
}

/// The parameters whose arguments are no `Option`s.
pub fn never_null(input: &SqlInput) -> Vec<ParamName> {
    let name = |(idx, arg): (usize, &Arg)| match &arg.name {
        None => ParamName::Position(idx as u32 + 1),
        Some(name) => ParamName::Named(unraw(name)),
    };
    input.args.iter().enumerate().filter(|(_, arg)| !arg.optional).map(name).collect()
}

fn refuse_extra(input: &SqlInput, params: &[Param]) -> Result<(), Fault> {
    let fault = |arg: &Arg, message: String| Err(Fault::Argument(syn::Error::new(arg.span(), message)));
    let named = || {
        params.iter().filter_map(|param| match &param.name {
            ParamName::Named(name) => Some(name.as_str()),
            ParamName::Position(_) => None,
        })
    };
    for (idx, arg) in input.args.iter().enumerate() {
        match &arg.name {
            None => {
                let position = idx as u32 + 1;
                if !params.iter().any(|param| param.name == ParamName::Position(position)) {
                    return fault(arg, format!("the SQL has no parameter ${position} for this argument"));
                }
            }
            Some(name) => {
                let name = unraw(name);
                if !named().any(|param| param == name) {
                    let help = nearest(&name, named()).map(|near| format!("; a parameter :{near} exists"));
                    return fault(arg, format!("the SQL has no parameter :{name}{}", help.unwrap_or_default()));
                }
                let again =
                    input.args[..idx].iter().filter_map(|arg| arg.name.as_ref()).any(|before| unraw(before) == name);
                if again {
                    return fault(arg, format!("parameter :{name} is given twice"));
                }
            }
        }
    }
    Ok(())
}

fn unraw(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

fn argument_of<'i>(input: &'i SqlInput, param: &Param) -> Result<&'i Arg, Fault> {
    let found = match &param.name {
        ParamName::Position(position) => input.args.get(*position as usize - 1).filter(|arg| arg.name.is_none()),
        ParamName::Named(name) => {
            input.args.iter().find(|arg| arg.name.as_ref().is_some_and(|given| unraw(given) == *name))
        }
    };
    found.ok_or_else(|| {
        let (shown, help) = match &param.name {
            ParamName::Position(position) => {
                (format!("${position}"), "give it behind the SQL, in the order of the numbers".to_owned())
            }
            ParamName::Named(name) => (format!(":{name}"), format!("give it behind the SQL: {name} = value")),
        };
        let message = format!("no argument is given for parameter {shown}, of type {}", param.ty);
        Fault::Sql(Diag::new(code::UNDEFINED_PARAMETER, message, param.span).help(help))
    })
}

impl Arguments {
    fn add(&mut self, v1: &TokenStream, idx: usize, param: &Param, arg: &Arg) {
        let variable = format_ident!("spectra_p{idx}");
        let (field, has) = (format_ident!("p{idx}"), format_ident!("hp{idx}"));
        let expr = &arg.expr;
        let shown = match &param.name {
            ParamName::Position(position) => format!("${position}"),
            ParamName::Named(name) => format!(":{name}"),
        };
        // The type of the argument, of the environment's field, and the ways from the first to the second and to a Value;
        // `given` stands for the argument's value.
        let (given_ty, field_ty, to_field, to_value) = match param.ty.plain() {
            Type::Boolean => (quote!(bool), quote!(bool), quote!(given), quote!(#v1::Value::Boolean(given))),
            Type::Integer => (quote!(i64), quote!(i64), quote!(given), quote!(#v1::Value::Integer(given))),
            Type::Real => (quote!(f64), quote!(f64), quote!(given), quote!(#v1::Value::Real(given))),
            Type::Numeric { precision, scale } => (
                quote!(#v1::Decimal),
                quote!(i128),
                quote!(#v1::numeric_param(given, #precision, #scale, #shown)?),
                quote!(#v1::Value::Numeric(given)),
            ),
            Type::Text => (
                quote!(&str),
                quote!(::std::string::String),
                quote!(::std::string::String::from(given)),
                quote!(#v1::Value::Text(::std::string::String::from(given))),
            ),
            Type::Blob => (
                quote!(&[u8]),
                quote!(::std::vec::Vec<u8>),
                quote!(<[u8]>::to_vec(given)),
                quote!(#v1::Value::Blob(<[u8]>::to_vec(given))),
            ),
            Type::Date => (quote!(#v1::Date), quote!(i64), quote!(i64::from(given.0)), quote!(#v1::Value::Date(given))),
            Type::Timestamp => {
                (quote!(#v1::Timestamp), quote!(i64), quote!(given.0), quote!(#v1::Value::Timestamp(given)))
            }
            Type::Time => (quote!(#v1::Time), quote!(i64), quote!(given.0), quote!(#v1::Value::Time(given))),
            Type::TimestampTz => {
                (quote!(#v1::TimestampTz), quote!(i64), quote!(given.0), quote!(#v1::Value::TimestampTz(given)))
            }
            Type::Array(element) => {
                let code = element.code();
                (
                    quote!(&[_]),
                    quote!(::std::vec::Vec<u8>),
                    quote!(#v1::array_param(given, #code, #shown)?.bytes().to_vec()),
                    quote!(#v1::Value::Array(#v1::array_param(given, #code, #shown)?)),
                )
            }
            Type::Interval => {
                (quote!(#v1::Interval), quote!(i128), quote!(given.lane()), quote!(#v1::Value::Interval(given)))
            }
            Type::Uuid => (quote!(#v1::Uuid), quote!(i128), quote!(given.lane()), quote!(#v1::Value::Uuid(given))),
            Type::BigNumeric => (
                quote!(&#v1::BigNumeric),
                quote!(::std::vec::Vec<u8>),
                quote!(given.bytes().to_vec()),
                quote!(#v1::Value::BigNumeric(::core::clone::Clone::clone(given))),
            ),
            Type::Jsonb
            | Type::SmallInt
            | Type::Int4
            | Type::Float4
            | Type::Varchar { .. }
            | Type::Char { .. }
            | Type::WideNumeric { .. }
            | Type::Rounded { .. } => {
                unreachable!("the type was made plain")
            }
            Type::Json => (
                quote!(&#v1::Json),
                quote!(::std::string::String),
                quote!(::std::string::String::from(given.as_str())),
                quote!(#v1::Value::Json(::std::string::String::from(given.as_str()))),
            ),
        };
        let is_numeric = matches!(param.ty, Type::Numeric { .. });
        self.bind.extend(match (arg.optional, is_numeric) {
            (false, false) => quote!(let #variable: #given_ty = #expr;),
            (false, true) => quote!(let #variable: #given_ty = ::core::convert::Into::into(#expr);),
            (true, false) => quote!(let #variable: ::core::option::Option<#given_ty> = #expr;),
            (true, true) => {
                quote!(let #variable: ::core::option::Option<#given_ty> =
                    ::core::option::Option::map(#expr, ::core::convert::Into::into);)
            }
        });
        self.fields.extend(quote!(#field: #field_ty,));
        if arg.optional {
            self.fields.extend(quote!(#has: bool,));
            self.inits.extend(quote! {
                #has: #variable.is_some(),
                #field: match #variable {
                    ::core::option::Option::Some(given) => #to_field,
                    ::core::option::Option::None => ::core::default::Default::default(),
                },
            });
            self.values.push(quote! {
                match #variable {
                    ::core::option::Option::Some(given) => #to_value,
                    ::core::option::Option::None => #v1::Value::Null,
                }
            });
        } else {
            self.inits.extend(quote!(#field: { let given = #variable; #to_field },));
            self.values.push(quote!({ let given = #variable; #to_value }));
        }
    }
}
