//! How does a `spectra_sql!` come by the schemas of its tables?
//!
//! [`begin`] parses the SQL and calls the first table's callback macro with the names of the others and the whole input;
//! each callback adds its schema and calls the next; the last calls [`finish`], which binds and prints. A table is found
//! as Rust finds a macro: in scope under its name, or as an arm of a registry.
//!
//! A link is `[{ path } prefix ...]`: the macro to call and what it is given first. A call is
//! `path! { @spectradb prefix ... link ... ; state ... }`.
//!
//! Holds: the SQL is parsed once for a chain. The tree waits in the thread for the last step; if it is not there (another
//! thread or process expands that step), it is parsed again, with the same result.

use crate::{
    diag, dml,
    expr::ParamSlot,
    input::SqlInput,
    names, nodes,
    params::{self, Arguments, Fault},
    pipe::Shared,
    rows,
    schema::{NamedTables, TokenSchema},
    table, tables,
};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use spectradb_grammar::{
    ast::{Delete, Insert, Merge, Name, Statement, StatementKind, Update},
    bind,
    catalog::fingerprint,
    diag::{Diag, code, nearest},
    parse,
    plan::{self, Cardinality, CheckedPlan, Context, ExprKind, QueryPlan},
};
use spectradb_kernel::schema::TableSchema;
use std::{cell::RefCell, sync::Arc};
use syn::parse::{Parse, ParseStream};

thread_local! {
    static PARSED: RefCell<Option<(String, Statement)>> = const { RefCell::new(None) };
}

fn parsed(sql: &str) -> Result<Statement, Diag> {
    match PARSED.take() {
        Some((text, statement)) if text == sql => Ok(statement),
        _ => parse::statement(sql),
    }
}

/// What is carried through the chain: the crate's path and the macro's input.
struct State {
    krate: TokenStream,
    tokens: TokenStream,
    input: SqlInput,
}

impl Parse for State {
    fn parse(stream: ParseStream<'_>) -> syn::Result<State> {
        let krate;
        syn::bracketed!(krate in stream);
        let krate = krate.parse()?;
        let tokens: TokenStream = stream.parse()?;
        let input = syn::parse2(tokens.clone())?;
        Ok(State { krate, tokens, input })
    }
}

/// The first step.
pub fn begin(input: TokenStream) -> TokenStream {
    let state: State = match syn::parse2(input) {
        Ok(state) => state,
        Err(error) => return error.into_compile_error(),
    };
    let sql = state.input.sql.value();
    let statement = match parse::statement(&sql) {
        Ok(statement) => statement,
        Err(error) => return diag::sql_error(&state.input.sql, &error),
    };
    let Some(tables) = tables::tables(&statement.kind) else {
        let error =
            Diag::new(code::FEATURE_NOT_SUPPORTED, "spectra_sql! compiles queries and changes only", statement.span)
                .help("run other statements through db.sql(\"...\") or session.execute(\"...\", ())");
        return diag::sql_error(&state.input.sql, &error);
    };
    if tables.is_empty() {
        return print(&state, &statement, NamedTables::default());
    }
    PARSED.set(Some((sql, statement)));
    let krate = &state.krate;
    let span = state.input.sql.span();
    let mut links: Vec<TokenStream> = tables
        .iter()
        .map(|name| {
            let ident = names::ident_of(&name.text, span);
            match &state.input.registry {
                None => quote!([{ #ident }]),
                Some(registry) => quote!([{ #registry } (#ident) { #krate::private::__spectra_unknown_table }]),
            }
        })
        .collect();
    links.push(quote!([{ #krate::private::__spectra_bound }]));
    let names = tables.iter().map(|name| &name.text);
    let tokens = &state.tokens;
    call(&links, quote!((#(#names)*) { [#krate] #tokens }))
}

/// The call of the first link with the rest.
pub(crate) fn call(links: &[TokenStream], state: TokenStream) -> TokenStream {
    let (first, rest) = links.split_first().expect("a chain has a last link");
    let link: Link = syn::parse2(first.clone()).expect("links are made here");
    let Link { path, prefix } = link;
    quote!(#path ! { @spectradb #prefix #(#rest)* ; #state })
}

struct Link {
    path: TokenStream,
    prefix: TokenStream,
}

impl Parse for Link {
    fn parse(stream: ParseStream<'_>) -> syn::Result<Link> {
        let (link, path);
        syn::bracketed!(link in stream);
        syn::braced!(path in link);
        Ok(Link { path: path.parse()?, prefix: link.parse()? })
    }
}

/// What arrives at the end of a chain.
struct End {
    names: Vec<String>,
    state: State,
    schemas: Vec<TableSchema>,
}

impl Parse for End {
    fn parse(stream: ParseStream<'_>) -> syn::Result<End> {
        let state = state_tokens(stream)?;
        let mut schemas = Vec::new();
        while !stream.is_empty() {
            schemas.push(stream.parse::<TokenSchema>()?.0);
        }
        Ok(End { names: state.0, state: state.1, schemas })
    }
}

/// `@spectradb ... ; (names) { [crate] input }`
fn state_tokens(stream: ParseStream<'_>) -> syn::Result<(Vec<String>, State)> {
    while !stream.peek(syn::Token![;]) {
        stream.parse::<proc_macro2::TokenTree>()?;
    }
    stream.parse::<syn::Token![;]>()?;
    let (list, state);
    syn::parenthesized!(list in stream);
    let mut names = Vec::new();
    while !list.is_empty() {
        names.push(list.parse::<syn::LitStr>()?.value());
    }
    syn::braced!(state in stream);
    Ok((names, state.parse()?))
}

/// The last step.
pub fn finish(input: TokenStream) -> TokenStream {
    let End { names, state, schemas } = match syn::parse2(input) {
        Ok(end) => end,
        Err(error) => return error.into_compile_error(),
    };
    let statement = match parsed(&state.input.sql.value()) {
        Ok(statement) => statement,
        Err(error) => return diag::sql_error(&state.input.sql, &error),
    };
    let tables = names.into_iter().zip(schemas.into_iter().map(Arc::new)).collect();
    print(&state, &statement, NamedTables { tables })
}

/// What a registry answers for a table it does not have: `@spectradb (name) ["known" ...] link ... ; state`.
pub fn unknown_table(input: TokenStream) -> TokenStream {
    struct Unknown {
        name: Ident,
        known: Vec<String>,
        state: State,
    }
    impl Parse for Unknown {
        fn parse(stream: ParseStream<'_>) -> syn::Result<Unknown> {
            stream.parse::<syn::Token![@]>()?;
            stream.parse::<Ident>()?;
            let (name, list);
            syn::parenthesized!(name in stream);
            let name = syn::ext::IdentExt::parse_any(&name)?;
            syn::bracketed!(list in stream);
            let mut known = Vec::new();
            while !list.is_empty() {
                known.push(list.parse::<syn::LitStr>()?.value());
            }
            let state = state_tokens(stream)?.1;
            // Schemas of tables that were found before.
            stream.parse::<TokenStream>()?;
            Ok(Unknown { name, known, state })
        }
    }
    let Unknown { name, known, state } = match syn::parse2(input) {
        Ok(unknown) => unknown,
        Err(error) => return error.into_compile_error(),
    };
    let statement = match parsed(&state.input.sql.value()) {
        Ok(statement) => statement,
        Err(error) => return diag::sql_error(&state.input.sql, &error),
    };
    let named = tables::tables(&statement.kind).unwrap_or_default();
    let is_it = |table: &&Name| names::ident_of(&table.text, name.span()) == name;
    let Some(table) = named.iter().find(is_it) else {
        return syn::Error::new(name.span(), "the registry does not have this table").into_compile_error();
    };
    let error = Diag::new(code::UNDEFINED_TABLE, format!("table \"{}\" does not exist", table.text), table.span);
    let error = match nearest(&table.text, known.iter().map(String::as_str)) {
        Some(near) => error.help(format!("a table named \"{near}\" exists")),
        None => error.help(format!("the registry has {}", known.join(", "))),
    };
    diag::sql_error(&state.input.sql, &error)
}

fn print(state: &State, statement: &Statement, tables: NamedTables) -> TokenStream {
    let State { krate, input, .. } = state;
    let v1 = quote!(#krate::private::v1);
    let sql = input.sql.value();
    // An argument that is no Option is never NULL, and what is computed of it may need no Option either.
    let options = bind::BindOptions { never_null: params::never_null(input), ..bind::BindOptions::default() };
    let bound = bind::statement(statement, &sql, &tables, &options);
    let plan: CheckedPlan = match bound {
        Ok(plan) => plan,
        Err(error) => return diag::sql_error(&input.sql, &error),
    };
    let arguments = match params::arguments(&v1, input, &plan.params) {
        Ok(arguments) => arguments,
        Err(Fault::Sql(error)) => return diag::sql_error(&input.sql, &error),
        Err(Fault::Argument(error)) => return error.into_compile_error(),
    };
    match (&plan.statement, &statement.kind) {
        (plan::Statement::Query(query), _) => print_query(state, &v1, query, &plan, &arguments),
        (
            _,
            StatementKind::Insert(Insert { returning, .. })
            | StatementKind::Update(Update { returning, .. })
            | StatementKind::Delete(Delete { returning, .. })
            | StatementKind::Merge(Merge { returning, .. }),
        ) => match (plan.statement.returning(), returning) {
            (Some(rows), Some(_)) => dml::returning(krate, &v1, input, &rows.root.fields, &arguments),
            (_, _) => change(&v1, input, &arguments),
        },
        (_, StatementKind::Truncate(_)) => change(&v1, input, &arguments),
        _ => unreachable!("other statements were refused when the chain began"),
    }
}

fn change(v1: &TokenStream, input: &SqlInput, arguments: &Arguments) -> TokenStream {
    match &input.row {
        None => dml::change(v1, input, arguments),
        Some(row) => syn::Error::new_spanned(row, "a change gives no rows").into_compile_error(),
    }
}

fn print_query(
    state: &State,
    v1: &TokenStream,
    query: &QueryPlan,
    plan: &CheckedPlan,
    arguments: &Arguments,
) -> TokenStream {
    let State { krate, input, .. } = state;
    let Arguments { slots, bind, fields, inits, values, .. } = arguments;
    let slots: &[ParamSlot] = slots;
    let printed = nodes::query(Shared { krate, v1, params: slots }, query);
    let row = rows::row(krate, &query.root.fields, input.row.as_ref());
    let shapes = printed.tables.iter().map(|table| {
        let (name, print) = (&table.name, fingerprint(table));
        let columns = table::shape_tokens(krate, table);
        let key = &table.key;
        quote!(#v1::TableShape { name: #name, fingerprint: #print, columns: #columns, key: &[#(#key),*] })
    });
    let run = match plan.cardinality {
        Cardinality::One => quote!(one),
        Cardinality::AtMostOne => quote!(at_most_one),
        Cardinality::Many => quote!(many),
    };
    let (session, sql) = (&input.session, &input.sql);
    let zoned = plan.zoned;
    let asks_settings = asks_settings(query);
    // Only what may be interpreted needs values.
    let values = if zoned { quote!(|| ::std::vec![#(#values),*]) } else { quote!(::std::vec::Vec::new) };
    let (items, open) = (printed.items, printed.open);
    let (row_items, row_path, read) = (row.items, row.path, row.read);
    quote! {{
        #bind
        let spectra_view = {
            use #v1::Reads as _;
            let spectra_session = &#session;
            spectra_session.__spectradb_view()
        };
        {
            #row_items
            struct SpectraEnv {
                now: i64,
                current_commit: i64,
                settings: ::std::string::String,
                #fields
            }
            #items
            struct SpectraQuery;
            #[allow(unused_variables, dead_code, clippy::all)]
            impl #v1::Query for SpectraQuery {
                type Row = #row_path;
                type Env = SpectraEnv;
                const SQL: &'static str = #sql;
                const TABLES: &'static [#v1::TableShape] = &[#(#shapes),*];
                const ZONED: bool = #zoned;
                const ASKS_SETTINGS: bool = #asks_settings;
                fn checked() -> &'static #v1::Checked {
                    static CHECKED: #v1::Checked = #v1::Checked::new();
                    &CHECKED
                }
                fn open(
                    cx: &#v1::Cx<'_>,
                    env: &::std::sync::Arc<SpectraEnv>,
                ) -> ::core::result::Result<#v1::BoxSource, #v1::ExecError> {
                    #open
                }
                fn read(batch: &#v1::Batch, rows: &mut ::std::vec::Vec<#row_path>) {
                    #read
                }
            }
            let spectra_env = |start: #v1::Start| {
                ::core::result::Result::Ok(SpectraEnv {
                    now: start.now,
                    current_commit: start.current_commit,
                    settings: start.settings,
                    #inits
                })
            };
            #v1::#run::<SpectraQuery>(spectra_view, spectra_env, #values)
        }
    }}
}

/// Does a query name the session's settings?
fn asks_settings(query: &QueryPlan) -> bool {
    let mut asks = false;
    for node in std::iter::once(&query.root).chain(&query.subplans) {
        node.walk(&mut |node| {
            node.for_each_expr(&mut |expr| {
                asks |= expr.any(&mut |part| matches!(part.kind, ExprKind::Context(Context::Settings)));
            });
        });
    }
    asks
}
