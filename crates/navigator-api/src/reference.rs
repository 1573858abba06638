//! What the API is, told from the declarations: an OpenAPI 3.1 document that the server serves, and
//! the reference pages below `docs/api`. Neither is written by hand, so neither can lag behind.

mod actions;
mod fixed;
mod links;
mod openapi;
mod pages;
mod schemas;

use navigator_resources::{Declaration, Embedded, Momentary, Rules, Schemas, Visitor, visit_all};

pub(crate) use openapi::serve;
pub use pages::pages;

/// A resource, the names of its member actions, and what it shows beside its attributes.
struct Described {
    declaration: &'static Declaration,
    actions: Vec<&'static str>,
    momentary: &'static [Momentary],
    embedded: &'static [Embedded],
    /// What is shown otherwise than the attribute says, or without there being one.
    reshaped: Schemas,
}

fn resources() -> Vec<Described> {
    struct Collect(Vec<Described>);
    impl Visitor for Collect {
        fn visit<R: Rules>(&mut self) {
            let actions = R::actions().iter().map(|action| action.name).collect();
            self.0.push(Described {
                declaration: R::declaration(),
                actions,
                momentary: R::momentary(),
                embedded: R::embedded(),
                reshaped: R::reshaped(),
            });
        }
    }
    let mut collect = Collect(Vec::new());
    visit_all(&mut collect);
    collect.0
}

/// `gateway_port_forwarding` as words.
fn spaced(name: &str) -> String {
    name.replace('_', " ")
}
