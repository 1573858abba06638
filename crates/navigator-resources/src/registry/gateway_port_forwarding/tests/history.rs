//! Whatever is asked in whatever order: a forwarding is accepted exactly when it overlaps no other.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    GatewayPortForwarding,
    world::{Site, TENANT, member},
};

#[derive(Clone, Copy, Debug)]
struct Wish {
    protocol: &'static str,
    external: u16,
    internal: u16,
    length: u16,
}

impl Wish {
    fn body(self) -> Value {
        let Self { protocol, external, internal, length } = self;
        json!({
            "protocol": protocol,
            "external_port": null,
            "external_port_range": format!("{external}:{}", external + length),
            "internal_port": null,
            "internal_port_range": format!("{internal}:{}", internal + length),
        })
    }

    fn overlaps(self, other: Self) -> bool {
        let crosses = |a: u16, b: u16| a <= b + other.length && b <= a + self.length;
        self.protocol == other.protocol
            && (crosses(self.external, other.external) || crosses(self.internal, other.internal))
    }
}

#[derive(Clone, Debug)]
enum Request {
    Post(Wish),
    Put(prop::sample::Index, Wish),
    Delete(prop::sample::Index),
}

fn wish() -> impl Strategy<Value = Wish> {
    (prop::sample::select(vec!["tcp", "udp"]), 1..30u16, 1..30u16, 0..4u16).prop_map(
        |(protocol, external, internal, length)| Wish { protocol, external, internal, length },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let any = any::<prop::sample::Index>;
    prop_oneof![
        4 => wish().prop_map(Request::Post),
        2 => (any(), wish()).prop_map(|(index, wish)| Request::Put(index, wish)),
        1 => any().prop_map(Request::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_forwarding_is_accepted_exactly_when_it_overlaps_no_other(
        requests in prop::collection::vec(request(), 1..30),
    ) {
        let mut site = Site::new();
        let mut model: Vec<(String, Wish)> = Vec::new();
        let free = |model: &[(String, Wish)], id: &str, wish: Wish| {
            model.iter().all(|(other, taken)| other == id || !taken.overlaps(wish))
        };
        for request in requests {
            match request {
                Request::Post(wish) => {
                    let made = site.forward(wish.body());
                    prop_assert_eq!(made.is_ok(), free(&model, "", wish), "{:?}", made);
                    model.extend(made.map(|forwarding| (forwarding.id.to_string(), wish)));
                }
                Request::Put(index, wish) if !model.is_empty() => {
                    let position = index.index(model.len());
                    let id = model[position].0.clone();
                    let caller = member(TENANT);
                    let put = site.world.update::<GatewayPortForwarding>(&caller, &id, wish.body());
                    prop_assert_eq!(put.is_ok(), free(&model, &id, wish), "{:?}", put);
                    if put.is_ok() {
                        model[position].1 = wish;
                    }
                }
                Request::Delete(index) if !model.is_empty() => {
                    let (id, _) = model.remove(index.index(model.len()));
                    site.world.delete::<GatewayPortForwarding>(&member(TENANT), id).unwrap();
                }
                _ => {}
            }
        }
        prop_assert_eq!(site.world.forwards().len(), model.len());
    }
}
