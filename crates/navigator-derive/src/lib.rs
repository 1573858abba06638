//! `#[derive(Resource)]`: turns a struct into an API resource's declaration, its POST and PUT
//! bodies, and its row.
//!
//! On the struct: `#[resource(name = "network", collection = "networks", class = "Network",
//! extension = "…", table = "…", parent = Router, parent_column = "router_id",
//! key = "column that URLs name one by, if not id", visible_to_all = "SQL",
//! visible_through(column = "…", ids = "SELECT …"), present = path, quota = "…",
//! notices = path)]`.
//!
//! On a field: `id` (the key), `create`, `update`, `filter`, `sort`, `required`, `default = expr`,
//! `unset` (absent is told apart), `name = "on:wire"`, `input = Type` (requests say it otherwise
//! than it is stored), `computed = "SQL"` (or a constant), `hidden` (never shown), `internal` (a column, no
//! attribute), `admin(create, update, get)`, `standard` (the field holds the standard attributes).

mod expand;
mod options;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

#[proc_macro_derive(Resource, attributes(resource, field))]
pub fn derive_resource(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    options::Declared::parse(&input)
        .map(|declared| expand::expand(&declared))
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
