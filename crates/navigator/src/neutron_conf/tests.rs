//! What an operator's files become.

use super::*;

fn translated(text: &str) -> Translated {
    translate(&[(Path::new("neutron.conf"), text.to_owned())]).unwrap()
}

fn refusal(text: &str) -> String {
    format!("{:#}", translate(&[(Path::new("neutron.conf"), text.to_owned())]).unwrap_err())
}

#[test]
fn a_usual_pair_of_files_becomes_the_same_cloud() {
    let neutron = "[DEFAULT]\nbind_host = 192.0.2.1\nbind_port = 9700\napi_workers = 8\n\
        core_plugin = ml2\nservice_plugins = router\nauth_strategy = keystone\n\
        allow_overlapping_ips = True\ndhcp_agents_per_network = 2\nagent_down_time = 150\n\
        max_routes = 60\nrouter_distributed = yes\nl3_ha = True\n\
        global_physnet_mtu = 9000\nbase_mac = fa:16:3f:00:00:00\n\
        dns_domain = cloud.example.\npagination_max_limit = 500\n\
        transport_url = rabbit://openstack:secret@mq\nsome_new_option = 1\n\
        [quotas]\nquota_network = 7\nquota_port = -1\nquota_moon = 1\n\
        [database]\nconnection = postgresql+psycopg2://neutron:p$$w@db/neutron\n\
        [keystone_authtoken]\nauth_url = http://keystone:5000\nusername = neutron\n\
        password = secret\nproject_name = service\nuser_domain_name = Default\n\
        project_domain_name = Default\nmemcached_servers = mc:11211\n";
    let ml2 = "[ml2]\ntenant_network_types = vxlan,vlan\nmechanism_drivers = ovn\n\
        [ml2_type_flat]\nflat_networks = public\n\
        [ml2_type_vlan]\nnetwork_vlan_ranges = physnet1:100:200,public\n\
        [ml2_type_vxlan]\nvni_ranges = 1000:2000\n";
    let files = [(Path::new("neutron.conf"), neutron), (Path::new("ml2_conf.ini"), ml2)];
    let files = files.map(|(path, text)| (path, text.to_owned()));
    let translated = translate(&files).unwrap();
    let expected: Table = r#"
        [server]
        listen = "192.0.2.1:9700"
        database = "postgres://neutron:p$w@db/neutron"
        [identity]
        mode = "keystone"
        [identity.keystone]
        auth_url = "http://keystone:5000"
        username = "neutron"
        password = "secret"
        project_name = "service"
        user_domain_name = "Default"
        project_domain_name = "Default"
        [network]
        dhcp_agents_per_network = 2
        agent_down_time_s = 150
        max_routes = 60
        router_distributed = true
        l3_ha = true
        global_physnet_mtu = 9000
        base_mac = "fa:16:3f:00:00:00"
        dns_domain = "cloud.example"
        pagination_max_limit = 500
        tenant_network_type = "vxlan"
        physical_networks = ["public", "physnet1"]
        vni_range = [1000, 2000]
        [quotas]
        network = 7
        port = -1
    "#
    .parse()
    .unwrap();
    assert_eq!(translated.table, expected);
    let _: crate::config::Config = translated.table.try_into().unwrap();
    let noted = |name: &str| translated.notes.iter().any(|note| note.starts_with(name));
    for name in [
        "[DEFAULT] api_workers: ignored",
        "[DEFAULT] transport_url: ignored",
        "[DEFAULT] some_new_option: ignored: Navigator has no such option",
        "[quotas] quota_moon: ignored",
        "[keystone_authtoken] memcached_servers: ignored",
        "[ml2] mechanism_drivers: ignored",
        "[ml2] tenant_network_types: only the first",
        "[database] connection",
    ] {
        assert!(noted(name), "{name} in {:#?}", translated.notes);
    }
    assert!(!noted("[DEFAULT] allow_overlapping_ips") && !noted("[DEFAULT] core_plugin"));
    let told = translated.notes.join("\n");
    assert!(!told.contains("secret") && !told.contains("p$w"), "{told}");
}

#[test]
fn what_navigator_never_does_otherwise_is_told() {
    let notes = translated("[DEFAULT]\nallow_overlapping_ips = False\n").notes;
    assert_eq!(notes, ["[DEFAULT] allow_overlapping_ips: ignored: in Navigator it is always true"]);
}

#[test]
fn a_value_that_makes_no_sense_is_an_error_with_its_place() {
    for (text, expected) in [
        ("[DEFAULT]\nmax_routes = many\n", "neutron.conf:2: [DEFAULT] max_routes: 'many' is not"),
        ("[DEFAULT]\nmax_routes = -1\n", "max_routes: -1 is below 0"),
        ("[DEFAULT]\nbind_host = neutron.example\n", "bind_host: not an address"),
        ("[DEFAULT]\nbind_port = 99999\n", "bind_port: not a port"),
        ("[ml2_type_vxlan]\nvni_ranges = 5\n", "'5' is not low:high"),
        ("[database]\nconnection = $missing\n", "$missing is not set in the files"),
        ("[agent]\navailability_zone = $availability_zone\n", "go in circles"),
        ("nonsense\n", "neutron.conf: line 1"),
    ] {
        let told = refusal(text);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn references_are_replaced() {
    let text = "[DEFAULT]\nmy_ip = 192.0.2.9\nbase = tunnel\n[vxlan]\nlocal_ip = $my_ip\n\
                [agent]\navailability_zone = ${DEFAULT.base}-$vxlan.local_ip\n";
    let table = translated(text).table;
    assert_eq!(table["agent"]["tunnel_ip"].as_str(), Some("192.0.2.9"));
    assert_eq!(table["agent"]["availability_zone"].as_str(), Some("tunnel-192.0.2.9"));
}

#[test]
fn databases_are_taken_over_where_navigator_knows_them() {
    for (given, taken) in [
        ("postgresql://u@h/d", "postgres://u@h/d"),
        ("sqlite:////var/lib/neutron.sqlite?timeout=60", "sqlite:/var/lib/neutron.sqlite"),
        ("mysql+pymysql://u:p@h/d", "mysql+pymysql://u:p@h/d"),
    ] {
        let table = translated(&format!("[database]\nconnection = {given}\n")).table;
        assert_eq!(table["server"]["database"].as_str(), Some(taken));
    }
}

/// CVE-2015-1852, with CVE-2014-7144: the middleware of old took any text for `insecure`, `false` too,
/// as true, and verified nobody.
#[test]
fn sec_cve_2015_1852_only_what_says_so_makes_it_insecure() {
    let insecure = |section: &str, text: &str| {
        let text = format!("[{section}]\ninsecure = {text}\ncafile = /etc/ssl/cloud.pem\n");
        let keystone = |table: &Table| match section {
            "nova" => table["nova"]["keystone"].clone(),
            _ => table["identity"]["keystone"].clone(),
        };
        translate(&[(Path::new("neutron.conf"), text)]).map(|translated| {
            let keystone = keystone(&translated.table);
            assert_eq!(keystone["cafile"].as_str(), Some("/etc/ssl/cloud.pem"));
            if section == "nova" {
                let nova = &translated.table["nova"];
                assert_eq!(
                    (&nova["insecure"], &nova["cafile"]),
                    (&keystone["insecure"], &keystone["cafile"],)
                );
            }
            keystone["insecure"].as_bool().unwrap()
        })
    };
    for section in ["keystone_authtoken", "nova"] {
        for text in
            ["false", "False", "FALSE", "0", "no", "off", "  false  ", "'false'", "\"False\""]
        {
            assert!(!insecure(section, text).unwrap(), "{text}");
        }
        for text in ["true", "True", "1", "yes", "on"] {
            assert!(insecure(section, text).unwrap(), "{text}");
        }
        for text in ["", "''", "flase", "None", "n", "false true", "2", "-1"] {
            let error = format!("{:#}", insecure(section, text).unwrap_err());
            assert!(error.contains("insecure: ") && error.contains("not true or false"), "{error}");
        }
    }
    // Navigator's own file has no other spelling.
    for text in ["\"false\"", "\"true\"", "0", "1"] {
        for table in ["identity.keystone", "nova", "nova.keystone", "agent"] {
            let text = format!("[{table}]\ninsecure = {text}\n");
            let error = format!("{:#}", crate::config::Config::parsed(&text).unwrap_err());
            assert!(error.contains("insecure"), "{error}");
        }
    }
    let silent = crate::config::Config::parsed("").unwrap();
    assert!(!silent.identity.keystone.insecure && !silent.agent.insecure);
}
