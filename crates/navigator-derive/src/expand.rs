//! Writes the code for a parsed declaration.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use crate::options::{Declared, Field, Link, ResourceOptions, Through, prose};

pub(crate) fn expand(declared: &Declared) -> TokenStream {
    let inputs = [body(declared, Kind::Create), body(declared, Kind::Update)];
    let conversion = conversion(declared);
    let declaration = if declared.resource.part { part(declared) } else { resource(declared) };
    let apply = apply(declared);
    quote! {
        #(#inputs)*
        #apply
        #conversion
        #declaration
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Create,
    Update,
}

impl Kind {
    fn name(self, ident: &Ident) -> Ident {
        match self {
            Self::Create => format_ident!("{ident}Create"),
            Self::Update => format_ident!("{ident}Update"),
        }
    }

    fn includes(self, field: &Field) -> bool {
        match self {
            Self::Create => field.options.create,
            Self::Update => field.options.update,
        }
    }

    /// Whether the field is an `Option` in the body because it may be absent.
    fn may_be_absent(self, field: &Field) -> bool {
        match self {
            Self::Create => !field.options.required && field.options.default.is_none(),
            Self::Update => true,
        }
    }
}

/// The struct of a POST or PUT body and how it is read.
fn body(declared: &Declared, kind: Kind) -> TokenStream {
    let name = kind.name(&declared.ident);
    let (action, of) = match kind {
        Kind::Create => ("POST", &declared.ident),
        Kind::Update => ("PUT", &declared.ident),
    };
    let doc = format!("What a {action} says of a [`{of}`].");
    let fields: Vec<_> = declared.fields.iter().filter(|f| kind.includes(f)).collect();
    let members = fields.iter().map(|field| {
        let (ident, ty, docs) = (&field.ident, field.input_type(), &field.docs);
        if kind.may_be_absent(field) {
            quote!(#(#docs)* pub #ident: ::core::option::Option<#ty>,)
        } else {
            quote!(#(#docs)* pub #ident: #ty,)
        }
    });
    let readers = fields.iter().map(|field| reader(field, kind));
    let (standard_member, standard_reader) = match &declared.standard {
        Some((ident, ty)) => {
            let of = standard_body(ty, kind);
            (
                quote!(pub #ident: #of,),
                quote!(#ident: <#of as ::navigator_resources::Input>::from_json(attributes)?,),
            )
        }
        None => (quote!(), quote!()),
    };
    let default = (kind == Kind::Update).then(|| quote!(Default,));
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug, PartialEq, #default)]
        pub struct #name { #(#members)* #standard_member }

        impl ::navigator_resources::Input for #name {
            fn from_json(
                attributes: &::serde_json::Map<::std::string::String, ::serde_json::Value>,
            ) -> ::core::result::Result<Self, (&'static str, ::std::string::String)> {
                let _ = attributes;
                ::core::result::Result::Ok(Self { #(#readers)* #standard_reader })
            }
        }
    }
}

fn standard_body(ty: &syn::Type, kind: Kind) -> TokenStream {
    let syn::Type::Path(path) = ty else { return quote!(#ty) };
    let mut path = path.path.clone();
    if let Some(last) = path.segments.last_mut() {
        last.ident = kind.name(&last.ident);
    }
    if path.segments.len() == 1 {
        quote!(::navigator_resources::standard::#path)
    } else {
        quote!(#path)
    }
}

fn reader(field: &Field, kind: Kind) -> TokenStream {
    let (ident, name, ty) = (&field.ident, field.wire_name(), field.input_type());
    let parse = quote! {
        <#ty as ::navigator_resources::AttributeValue>::from_json(value)
            .map_err(|reason| (#name, reason))?
    };
    let (present, absent) = if kind.may_be_absent(field) {
        (quote!(::core::option::Option::Some(#parse)), quote!(::core::option::Option::None))
    } else if let Some(default) = &field.options.default {
        (parse, quote!(#default))
    } else {
        (parse, quote!(return ::core::result::Result::Err((#name, "not specified".to_owned()))))
    };
    quote! {
        #ident: match attributes.get(#name) {
            ::core::option::Option::Some(value) => #present,
            ::core::option::Option::None => #absent,
        },
    }
}

/// `Update::apply_to`: the attributes that are stored as they were said.
fn apply(declared: &Declared) -> TokenStream {
    let (ident, update) = (&declared.ident, Kind::Update.name(&declared.ident));
    let plain = declared.fields.iter().filter(|f| f.options.update && f.options.input.is_none());
    let assignments = plain.map(|field| {
        let ident = &field.ident;
        quote! {
            if let ::core::option::Option::Some(value) = &self.#ident {
                object.#ident = ::core::clone::Clone::clone(value);
            }
        }
    });
    let standard = declared
        .standard
        .as_ref()
        .map(|(ident, _)| quote!(self.#ident.apply_to(&mut object.#ident);));
    quote! {
        impl #update {
            /// Sets what the body names, except attributes whose stored form differs.
            pub fn apply_to(&self, object: &mut #ident) {
                let _ = &object;
                #(#assignments)*
                #standard
            }
        }
    }
}

/// Row and JSON.
fn conversion(declared: &Declared) -> TokenStream {
    let ident = &declared.ident;
    let from = declared.fields.iter().map(|field| {
        let (ident, ty) = (&field.ident, &field.ty);
        let column = ident.to_string();
        quote! {
            #ident: <#ty as ::navigator_resources::AttributeValue>::from_sql(row.get(#column))
                .map_err(|reason| ::navigator_resources::DecodeError { table, column: #column, reason })?,
        }
    });
    let stored = declared.fields.iter().filter(|f| f.options.computed.is_none()).map(|field| {
        let ident = &field.ident;
        let column = ident.to_string();
        quote! {
            row.push(#column, ::navigator_resources::AttributeValue::to_sql(&self.#ident));
        }
    });
    let shown = declared.fields.iter().filter(|f| !f.options.hidden && !f.options.internal).map(|field| {
        let (ident, name) = (&field.ident, field.wire_name());
        quote! {
            map.insert(#name.to_owned(), ::navigator_resources::AttributeValue::to_json(&self.#ident));
        }
    });
    let standard = declared.standard.as_ref().map(|(ident, _)| ident);
    let standard_from =
        declared.standard.iter().map(|(ident, ty)| quote!(#ident: <#ty>::read_row(row, table)?,));
    let standard_row = standard.iter().map(|ident| quote!(self.#ident.write_row(row);));
    let standard_json = standard.iter().map(|ident| quote!(self.#ident.write_json(map);));
    quote! {
        impl #ident {
            pub(crate) fn read_row(
                row: &::navigator_resources::Row,
                table: &'static str,
            ) -> ::core::result::Result<Self, ::navigator_resources::DecodeError> {
                ::core::result::Result::Ok(Self { #(#from)* #(#standard_from)* })
            }

            pub(crate) fn write_row(&self, row: &mut ::navigator_resources::Row) {
                #(#stored)*
                #(#standard_row)*
            }

            pub(crate) fn write_json(&self, map: &mut ::serde_json::Map<::std::string::String, ::serde_json::Value>) {
                #(#shown)*
                #(#standard_json)*
            }
        }
    }
}

fn through(option: Option<&Through>) -> TokenStream {
    match option {
        Some(Through { column, ids }) => quote!(::core::option::Option::Some(
            ::navigator_resources::Through { column: #column, ids: #ids }
        )),
        None => quote!(::core::option::Option::None),
    }
}

fn attribute(field: &Field, table: &str) -> TokenStream {
    let (ty, input, options) = (&field.ty, field.input_type(), &field.options);
    let (name, column) = (field.wire_name(), field.ident.to_string());
    let expression = match field.expression(table) {
        Some(sql) => quote!(::core::option::Option::Some(#sql)),
        None => quote!(::core::option::Option::None),
    };
    let computed = options.computed.is_some() || options.link.is_some();
    let link = match &options.link {
        Some(Link { table, owner, item }) => quote!(::core::option::Option::Some(
            ::navigator_resources::Link { table: #table, owner: #owner, item: #item }
        )),
        None => quote!(::core::option::Option::None),
    };
    let found = through(options.found.as_ref());
    let on_create = if !options.create {
        quote!(::navigator_resources::OnCreate::Refused)
    } else if options.required {
        quote!(::navigator_resources::OnCreate::Required)
    } else if let Some(default) = &options.default {
        quote!(::navigator_resources::OnCreate::Default(|| {
            let value: #input = #default;
            ::navigator_resources::AttributeValue::to_json(&value)
        }))
    } else {
        quote!(::navigator_resources::OnCreate::Unset)
    };
    let (update, filter, sort, internal) =
        (options.update, options.filter, options.sort, options.internal);
    let fact = !options.shown;
    let visible = !options.hidden && !options.internal;
    let docs = prose(&field.docs);
    let (create, put, get) = (options.admin_create, options.admin_update, options.admin_get);
    quote! {
        ::navigator_resources::Attribute {
            name: #name,
            column: #column,
            sql: <#ty as ::navigator_resources::AttributeValue>::SQL,
            nullable: #computed || <#ty as ::navigator_resources::AttributeValue>::NULLABLE,
            expression: #expression,
            fact: #fact,
            link: #link,
            found: #found,
            on_create: #on_create,
            update: #update,
            visible: #visible,
            filter: #filter,
            sort: #sort,
            admin: ::navigator_resources::declaration::Admin { create: #create, update: #put, get: #get },
            internal: #internal,
            check: |value| {
                <#input as ::navigator_resources::AttributeValue>::from_json(value).map(|_| ())
            },
            filter_value: <#ty as ::navigator_resources::AttributeValue>::from_filter,
            show: <#ty as ::navigator_resources::AttributeValue>::show,
            docs: #docs,
            schema: <#ty as ::navigator_resources::AttributeValue>::schema,
            input_schema: <#input as ::navigator_resources::AttributeValue>::schema,
        }
    }
}

/// The tags of a resource that may have some: no field of the struct, since no rule looks at them. Few
/// objects have any: a list looks once which have.
fn tags(options: &ResourceOptions, table: &str) -> Option<TokenStream> {
    let on_create = if options.tags_on_create {
        quote!(::navigator_resources::OnCreate::Unset)
    } else {
        quote!(::navigator_resources::OnCreate::Refused)
    };
    let own = format!("FROM tags t WHERE t.object_id = {table}.id");
    let sql = format!(
        "(CASE WHEN EXISTS (SELECT 1 {own}) THEN (SELECT string_agg(t.tag, '\u{1f}') {own}) END)"
    );
    options.tags.then(|| quote!(::navigator_resources::tagging::attribute(#sql, #on_create)))
}

/// A part: attributes that resources share, such as the standard ones.
fn part(declared: &Declared) -> TokenStream {
    let ident = &declared.ident;
    let attributes = declared.fields.iter().map(|field| attribute(field, ""));
    quote! {
        impl #ident {
            pub const ATTRIBUTES: &'static [::navigator_resources::Attribute] = &[#(#attributes),*];
        }
    }
}

fn resource(declared: &Declared) -> TokenStream {
    let ident = &declared.ident;
    let options = &declared.resource;
    let (name, collection, class, extension) =
        (&options.name, &options.collection, &options.class, &options.extension);
    let table = options.table.as_ref().unwrap_or(collection);
    let quota = options.quota.as_ref().unwrap_or(name);
    let notices = match &options.notices {
        Some(path) => quote!(::core::option::Option::Some(#path)),
        None => quote!(::core::option::Option::None),
    };
    let attributes = declared.fields.iter().map(|field| attribute(field, table));
    let attributes = attributes.chain(tags(options, table));
    let key = options.key.as_deref().unwrap_or("id");
    let visible_to_all = &options.visible_to_all;
    let visible_through = through(options.visible_through.as_ref());
    let (column, admin_only) = (&options.parent_column, options.admin_only);
    let path = options.path.as_ref().unwrap_or(collection);
    let docs = prose(&declared.docs);
    let (create_verb, update_verb, delete_verb) =
        (!options.without_create, !options.without_update, !options.without_delete);
    let (tags, view) = (options.tags, options.view);
    let root = options.root.as_deref().unwrap_or("v2.0");
    let rbac = match &options.rbac {
        Some(object_type) => quote!(::core::option::Option::Some(#object_type)),
        None => quote!(::core::option::Option::None),
    };
    let policy = match &options.policy {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let parent = match &options.parent {
        Some(parent) => quote!(::core::option::Option::Some(::navigator_resources::Parent {
            column: #column,
            declaration: <#parent as ::navigator_resources::Resource>::declaration,
        })),
        None => quote!(::core::option::Option::None),
    };
    let standard = match &declared.standard {
        Some((_, ty)) => quote!(<#ty>::ATTRIBUTES),
        None => quote!(&[]),
    };
    let id = declared.fields.iter().find(|f| f.options.id).map_or_else(
        || quote!(compile_error!("a resource has one field marked `id`")),
        |field| {
            let ident = &field.ident;
            quote!(::std::string::ToString::to_string(&self.#ident))
        },
    );
    let adds = &options.adds;
    let present = options
        .present
        .as_ref()
        .map(|path| quote!(::navigator_resources::resource::reshape(&mut map, #path(self));));
    let reshape = match &options.present {
        Some(path) => quote!(::core::option::Option::Some(::navigator_resources::Reshape {
            adds: &[#(#adds),*],
            changes: |row| <Self as ::navigator_resources::Resource>::from_row(row).map(|object| #path(&object)),
        })),
        None => quote!(::core::option::Option::None),
    };
    let (create, update) = (Kind::Create.name(ident), Kind::Update.name(ident));
    quote! {
        impl ::navigator_resources::Resource for #ident {
            type Create = #create;
            type Update = #update;

            fn declaration() -> &'static ::navigator_resources::Declaration {
                static DECLARATION: ::navigator_resources::Declaration = ::navigator_resources::Declaration {
                    name: #name,
                    collection: #collection,
                    root: #root,
                    path: #path,
                    view: #view,
                    verbs: ::navigator_resources::declaration::Verbs {
                        create: #create_verb,
                        update: #update_verb,
                        delete: #delete_verb,
                    },
                    tags: #tags,
                    rbac: #rbac,
                    policy: #policy,
                    docs: #docs,
                    class: #class,
                    table: #table,
                    key: #key,
                    parent: #parent,
                    extension: #extension,
                    attributes: &[#(#attributes),*],
                    standard: #standard,
                    visible_to_all: #visible_to_all,
                    visible_through: #visible_through,
                    admin_only: #admin_only,
                    quota: #quota,
                    notices: #notices,
                };
                &DECLARATION
            }

            fn id(&self) -> ::std::string::String {
                #id
            }

            fn from_row(
                row: &::navigator_resources::Row,
            ) -> ::core::result::Result<Self, ::navigator_resources::DecodeError> {
                Self::read_row(row, #table)
            }

            fn to_row(&self) -> ::navigator_resources::Row {
                let mut row = ::navigator_resources::Row::default();
                self.write_row(&mut row);
                row
            }

            fn to_json(&self) -> ::serde_json::Map<::std::string::String, ::serde_json::Value> {
                let mut map = ::serde_json::Map::new();
                self.write_json(&mut map);
                #present
                map
            }

            fn reshape() -> ::core::option::Option<::navigator_resources::Reshape> {
                #reshape
            }
        }
    }
}
