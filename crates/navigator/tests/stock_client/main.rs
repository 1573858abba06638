//! The unmodified `openstack` client and SDK against a running Navigator, as tables: command line,
//! exit code, what the answer has to say. Every table runs against a server that asks nobody who
//! they are and against one with HTTP basic authentication.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod absent;
mod address_scopes;
mod agents;
mod client;
mod commands;
mod conntrack_helpers;
mod demo;
mod flavors;
mod floating_ips;
mod ip_availability;
mod metering;
mod networks;
mod ports;
mod program;
mod projects;
mod qos;
mod quotas;
mod rbac;
mod routers;
mod row;
mod sdk;
mod security_groups;
mod segments;
mod subnet_pools;
mod subnets;
mod trunks;
mod world;

use row::Row;
use world::{Door, play, play_beside_keystone, two_networks};

/// Makes a test per door of each table, and `every_row`, of all tables.
macro_rules! through_the_doors {
    (
        through both: {$($name:ident: [$($table:expr),*],)*}
        beside Keystone: {$($named:ident: [$($tabled:expr),*],)*}
    ) => {
        mod without_authentication {
            use super::*;
            $(#[test]
            fn $name() {
                play(Door::Open, [$($table),*].into_iter().flatten().collect());
            })*
        }

        mod with_http_basic {
            use super::*;
            $(#[test]
            fn $name() {
                play(Door::Basic, [$($table),*].into_iter().flatten().collect());
            })*
        }

        mod beside_keystone {
            use super::*;
            $(#[test]
            fn $named() {
                play_beside_keystone([$($tabled),*].into_iter().flatten().collect());
            })*
        }

        fn every_row() -> Vec<Row> {
            [$($($table),*,)* $($($tabled),*,)*].into_iter().flatten().collect()
        }
    };
}

through_the_doors! {
    through both: {
    networks_are_made_found_changed_and_deleted: [networks::rows()],
    subnets_are_made_found_changed_and_deleted: [subnets::rows()],
    address_scopes_are_made_found_changed_and_deleted: [address_scopes::rows()],
    subnet_pools_are_made_cut_changed_and_deleted: [subnet_pools::rows()],
    addresses_are_counted: [ip_availability::rows()],
    topologies_are_checked: [ip_availability::topologies()],
    ports_are_made_found_changed_and_deleted: [two_networks(), ports::rows()],
    routers_get_gateways_interfaces_and_routes: [two_networks(), routers::rows()],
    floating_ips_lead_to_ports: [two_networks(), floating_ips::rows()],
    floating_ips_forward_ports: [two_networks(), floating_ips::forwardings()],
    security_groups_say_what_ports_let_pass: [two_networks(), security_groups::rows()],
    routers_have_conntrack_helpers: [conntrack_helpers::rows()],
    metering_labels_name_traffic: [metering::rows()],
    templates_say_what_new_groups_start_with: [security_groups::templates()],
    trunks_carry_sub_ports: [two_networks(), trunks::rows()],
    flavors_have_profiles: [flavors::rows()],
    networks_have_segments: [two_networks(), segments::rows()],
    qos_policies_have_rules_and_users: [two_networks(), qos::rows()],
    agents_and_extensions_are_listed: [agents::rows()],
    agents_say_what_they_serve: [two_networks(), agents::hosting()],
    ranges_say_what_numbers_networks_get: [segments::ranges()],
    what_is_absent_is_said_to_be: [absent::rows()],
    }
    beside Keystone: {
    networks_are_shared_with_projects: [rbac::rows()],
    projects_have_quotas: [quotas::rows()],
    a_project_gets_its_own_topology: [ip_availability::own_topology()],
    }
}
