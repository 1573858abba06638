//! The API in process, each test with its own database: in memory, and what depends on the database
//! also on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

/// Makes one test per database of each test body.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::cloud::Backend::Sqlite).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::cloud::Backend::Postgres).await;
            })*
        }
    };
}

mod address_usage;
mod advisories;
mod agents;
mod authorization;
mod auto_topology;
mod bindings;
mod cloud;
mod conntrack_helpers;
mod every_resource;
mod flavors;
mod forwards;
mod framing;
mod fuzz;
mod gateway_port_forwarding;
mod horizon;
mod hosting;
mod identity;
mod keystone;
mod lists;
mod logs;
mod metering;
mod nova;
mod openapi;
mod operation;
mod outage;
mod overload;
mod port_attributes;
mod qos;
mod quotas;
mod rbac_policies;
mod requests;
mod security_groups;
mod segments;
mod server;
mod servers;
mod subnet_pools;
mod tags;
mod trunks;
