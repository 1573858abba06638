//! Reads the `#[resource(…)]` and `#[field(…)]` attributes. Wrong options are compile errors at
//! their place.

use syn::{
    Data, DeriveInput, Expr, Fields, Ident, LitStr, Path, Result, Type, meta::ParseNestedMeta,
    spanned::Spanned,
};

/// The whole struct, parsed.
pub(crate) struct Declared {
    pub(crate) ident: Ident,
    pub(crate) docs: Vec<syn::Attribute>,
    pub(crate) resource: ResourceOptions,
    pub(crate) fields: Vec<Field>,
    /// The field that holds the standard attributes.
    pub(crate) standard: Option<(Ident, Type)>,
}

#[derive(Default)]
pub(crate) struct ResourceOptions {
    /// Only a part of other resources: attributes without a table.
    pub(crate) part: bool,
    pub(crate) name: String,
    pub(crate) collection: String,
    pub(crate) class: String,
    pub(crate) table: Option<String>,
    pub(crate) extension: String,
    pub(crate) parent: Option<Path>,
    pub(crate) parent_column: String,
    /// The column that URLs name one by.
    pub(crate) key: Option<String>,
    pub(crate) visible_to_all: String,
    pub(crate) visible_through: Option<Through>,
    pub(crate) admin_only: bool,
    /// What the compute service hears of changes.
    pub(crate) notices: Option<Path>,
    /// Name of its quota, if it differs from its own.
    pub(crate) quota: Option<String>,
    /// What its answers show otherwise than attribute by attribute, and the names that this adds.
    pub(crate) present: Option<Path>,
    pub(crate) adds: Vec<String>,
    pub(crate) path: Option<String>,
    pub(crate) without_create: bool,
    pub(crate) without_update: bool,
    pub(crate) without_delete: bool,
    pub(crate) tags: bool,
    /// A POST may name tags.
    pub(crate) tags_on_create: bool,
    pub(crate) rbac: Option<String>,
    pub(crate) root: Option<String>,
    pub(crate) view: bool,
    pub(crate) policy: Option<String>,
}

/// By which column and which of its values rows are found: those that a project sees without owning
/// them, or those that a filter asks for.
#[derive(Default)]
pub(crate) struct Through {
    pub(crate) column: String,
    pub(crate) ids: String,
}

pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) docs: Vec<syn::Attribute>,
    pub(crate) options: FieldOptions,
}

#[derive(Default)]
pub(crate) struct FieldOptions {
    pub(crate) id: bool,
    pub(crate) create: bool,
    pub(crate) update: bool,
    pub(crate) filter: bool,
    pub(crate) sort: bool,
    pub(crate) required: bool,
    pub(crate) unset: bool,
    pub(crate) hidden: bool,
    pub(crate) internal: bool,
    /// Only answers show it; rules find the type's default in its place.
    pub(crate) shown: bool,
    pub(crate) standard: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) name: Option<String>,
    pub(crate) input: Option<Type>,
    /// A text, or a constant that is one.
    pub(crate) computed: Option<Expr>,
    pub(crate) link: Option<Link>,
    /// Where filters look for rows with a value.
    pub(crate) found: Option<Through>,
    pub(crate) admin_create: bool,
    pub(crate) admin_update: bool,
    pub(crate) admin_get: bool,
}

/// The table that holds a list attribute: one row per owner and item.
#[derive(Default)]
pub(crate) struct Link {
    pub(crate) table: String,
    pub(crate) owner: String,
    pub(crate) item: String,
}

impl Field {
    /// SQL that computes it: as declared, or the items of its link table in order.
    pub(crate) fn expression(&self, table: &str) -> Option<Expr> {
        let Some(Link { table: link, owner, item }) = &self.options.link else {
            return self.options.computed.clone();
        };
        let sql = format!(
            "(SELECT string_agg(l.item, ',') FROM (SELECT k.{item} AS item FROM {link} k \
             WHERE k.{owner} = {table}.id ORDER BY k.{item}) l)"
        );
        Some(syn::parse_quote!(#sql))
    }

    pub(crate) fn wire_name(&self) -> String {
        self.options.name.clone().unwrap_or_else(|| self.ident.to_string())
    }

    /// The type in request bodies.
    pub(crate) fn input_type(&self) -> &Type {
        self.options.input.as_ref().unwrap_or(&self.ty)
    }
}

impl Declared {
    pub(crate) fn parse(input: &DeriveInput) -> Result<Self> {
        let mut resource = ResourceOptions::default();
        for attribute in input.attrs.iter().filter(|a| a.path().is_ident("resource")) {
            attribute.parse_nested_meta(|meta| resource.read(&meta))?;
        }
        let Data::Struct(data) = &input.data else {
            return Err(syn::Error::new(input.span(), "a resource is a struct"));
        };
        let Fields::Named(named) = &data.fields else {
            return Err(syn::Error::new(input.span(), "a resource has named fields"));
        };
        let mut declared = Self {
            ident: input.ident.clone(),
            docs: docs(&input.attrs),
            resource,
            fields: Vec::new(),
            standard: None,
        };
        for field in &named.named {
            declared.push(field)?;
        }
        declared.compute_shared();
        Ok(declared)
    }

    /// Whether an object is shared with whoever looks, its RBAC policies say.
    fn compute_shared(&mut self) {
        if self.resource.rbac.is_none() {
            return;
        }
        let table = self.resource.table.as_ref().unwrap_or(&self.resource.collection);
        let sql = format!(
            "EXISTS (SELECT 1 FROM rbac_policies r WHERE r.object_id = {table}.id \
             AND r.action = 'access_as_shared' AND r.target_project IN ('*', $project))"
        );
        for field in self.fields.iter_mut().filter(|field| field.ident == "shared") {
            field.options.computed = Some(syn::parse_quote!(#sql));
        }
    }

    fn push(&mut self, field: &syn::Field) -> Result<()> {
        let Some(ident) = field.ident.clone() else { return Ok(()) };
        let mut options = FieldOptions::default();
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("field")) {
            attribute.parse_nested_meta(|meta| options.read(&meta))?;
        }
        if options.standard {
            self.standard = Some((ident, field.ty.clone()));
            return Ok(());
        }
        let docs = docs(&field.attrs);
        self.fields.push(Field { ident, ty: field.ty.clone(), docs, options });
        Ok(())
    }
}

fn docs(attributes: &[syn::Attribute]) -> Vec<syn::Attribute> {
    attributes.iter().filter(|a| a.path().is_ident("doc")).cloned().collect()
}

/// Doc comments as one text; a line break in the source is a space.
pub(crate) fn prose(docs: &[syn::Attribute]) -> String {
    let line = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::NameValue(syn::MetaNameValue {
            value: Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
            ..
        }) => Some(text.value().trim().to_owned()),
        _ => None,
    };
    docs.iter().filter_map(line).collect::<Vec<_>>().join(" ")
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    meta.value()?.parse::<LitStr>().map(|literal| literal.value())
}

impl ResourceOptions {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match meta.path.require_ident()?.to_string().as_str() {
            "part" => self.part = true,
            "name" => self.name = text(meta)?,
            "collection" => self.collection = text(meta)?,
            "class" => self.class = text(meta)?,
            "table" => self.table = Some(text(meta)?),
            "extension" => self.extension = text(meta)?,
            "parent" => self.parent = Some(meta.value()?.parse()?),
            "parent_column" => self.parent_column = text(meta)?,
            "key" => self.key = Some(text(meta)?),
            "visible_to_all" => self.visible_to_all = text(meta)?,
            "visible_through" => {
                let through = self.visible_through.get_or_insert_default();
                return meta.parse_nested_meta(|inner| through.read(&inner));
            }
            "admin_only" => self.admin_only = true,
            "notices" => self.notices = Some(meta.value()?.parse()?),
            "quota" => self.quota = Some(text(meta)?),
            "present" => self.present = Some(meta.value()?.parse()?),
            "adds" => self.adds.push(text(meta)?),
            "path" => self.path = Some(text(meta)?),
            "without" => return meta.parse_nested_meta(|inner| self.read_without(&inner)),
            "root" => self.root = Some(text(meta)?),
            "view" => self.view = true,
            "tags" => {
                self.tags = true;
                if meta.input.peek(syn::token::Paren) {
                    return meta.parse_nested_meta(|inner| self.read_tags(&inner));
                }
            }
            "rbac" => self.rbac = Some(text(meta)?),
            "policy" => self.policy = Some(text(meta)?),
            _ => return Err(meta.error("unknown option of a resource")),
        }
        Ok(())
    }

    fn read_tags(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if !meta.path.is_ident("create") {
            return Err(meta.error("create"));
        }
        self.tags_on_create = true;
        Ok(())
    }

    fn read_without(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match meta.path.require_ident()?.to_string().as_str() {
            "create" => self.without_create = true,
            "update" => self.without_update = true,
            "delete" => self.without_delete = true,
            _ => return Err(meta.error("create, update or delete")),
        }
        Ok(())
    }
}

impl FieldOptions {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match meta.path.require_ident()?.to_string().as_str() {
            "id" => self.id = true,
            "create" => self.create = true,
            "update" => self.update = true,
            "filter" => self.filter = true,
            "sort" => self.sort = true,
            "required" => self.required = true,
            "unset" => self.unset = true,
            "hidden" => self.hidden = true,
            "internal" => self.internal = true,
            "shown" => self.shown = true,
            "standard" => self.standard = true,
            "default" => self.default = Some(meta.value()?.parse()?),
            "name" => self.name = Some(text(meta)?),
            "input" => self.input = Some(meta.value()?.parse()?),
            "computed" => self.computed = Some(meta.value()?.parse()?),
            "link" => {
                let link = self.link.get_or_insert_default();
                return meta.parse_nested_meta(|inner| link.read(&inner));
            }
            "found" => {
                let found = self.found.get_or_insert_default();
                return meta.parse_nested_meta(|inner| found.read(&inner));
            }
            "admin" => return meta.parse_nested_meta(|inner| self.read_admin(&inner)),
            _ => return Err(meta.error("unknown option of a field")),
        }
        Ok(())
    }

    fn read_admin(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match meta.path.require_ident()?.to_string().as_str() {
            "create" => self.admin_create = true,
            "update" => self.admin_update = true,
            "get" => self.admin_get = true,
            _ => return Err(meta.error("create, update or get")),
        }
        Ok(())
    }
}

impl Through {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match meta.path.require_ident()?.to_string().as_str() {
            "column" => self.column = text(meta)?,
            "ids" => self.ids = text(meta)?,
            _ => return Err(meta.error("column or ids")),
        }
        Ok(())
    }
}

impl Link {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match meta.path.require_ident()?.to_string().as_str() {
            "table" => self.table = text(meta)?,
            "owner" => self.owner = text(meta)?,
            "item" => self.item = text(meta)?,
            _ => return Err(meta.error("table, owner or item")),
        }
        Ok(())
    }
}
