//! When a port is up: its device has to be in its place on the port's host, and, where a subnet has
//! DHCP, a server has to know the port. Until both hold, an instance that is started would wait for
//! an address that nobody gives it.

use navigator_model::Outcome;

/// What the host that reports is to the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The port is there.
    Here,
    /// The port may go there.
    Prepared,
    /// The port is not there (any more).
    Elsewhere,
}

/// A port as a report finds it.
#[derive(Clone, Debug)]
pub struct Wiring<'a> {
    pub place: Place,
    pub status: &'a str,
    /// Whether the host had its device in its place already.
    pub wired: bool,
    /// Whether DHCP serves the port, or does not have to.
    pub ready: bool,
    /// Whether it is a router's and that router is off: then nothing has to be in its place.
    pub router_off: bool,
}

/// What a report means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// Whether the host has its device in its place.
    pub wired: bool,
    /// The port's status and its reason from now on; `None`: what it was.
    pub status: Option<(&'static str, Option<&'a str>)>,
    /// The compute service hears that its server may come: it waits for that before it moves one.
    pub plugged_ahead: bool,
}

/// Takes in what a host says of a port.
pub fn hear<'a>(wiring: &Wiring<'_>, outcome: &'a Outcome) -> Verdict<'a> {
    let active = *outcome == Outcome::Active;
    match wiring.place {
        Place::Elsewhere => Verdict { wired: wiring.wired, ..Verdict::default() },
        Place::Prepared => {
            Verdict { wired: active, status: None, plugged_ahead: active && !wiring.wired }
        }
        Place::Here => {
            let status = match outcome {
                // One that is up does not go down for a server that has yet to hear of a change.
                Outcome::Active if wiring.ready || wiring.status == "ACTIVE" => ("ACTIVE", None),
                Outcome::Down if wiring.router_off => ("ACTIVE", None),
                Outcome::Active | Outcome::Down => ("DOWN", None),
                Outcome::Error(reason) => ("ERROR", Some(reason.as_str())),
            };
            Verdict { wired: active, status: Some(status), plugged_ahead: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_up_when_it_is_wired_and_served() {
        let error = Outcome::Error("why".to_owned());
        for (status, ready, outcome, expected, wired) in [
            ("DOWN", true, &Outcome::Active, ("ACTIVE", None), true),
            ("DOWN", false, &Outcome::Active, ("DOWN", None), true),
            ("ACTIVE", false, &Outcome::Active, ("ACTIVE", None), true),
            ("ERROR", false, &Outcome::Active, ("DOWN", None), true),
            ("ACTIVE", true, &Outcome::Down, ("DOWN", None), false),
            ("ACTIVE", true, &error, ("ERROR", Some("why")), false),
        ] {
            let place = Place::Here;
            let wiring = Wiring { place, status, wired: false, ready, router_off: false };
            let verdict = Verdict { wired, status: Some(expected), plugged_ahead: false };
            assert_eq!(hear(&wiring, outcome), verdict, "{status} {ready} {outcome:?}");
        }
    }

    /// As the router itself.
    #[test]
    fn a_port_of_a_router_that_is_off_is_up_without_a_device() {
        let (place, status) = (Place::Here, "DOWN");
        let wiring = Wiring { place, status, wired: false, ready: true, router_off: true };
        let verdict = hear(&wiring, &Outcome::Down);
        assert_eq!((verdict.status, verdict.wired), (Some(("ACTIVE", None)), false));
    }

    #[test]
    fn where_a_port_may_go_says_when_it_can_and_changes_nothing_else() {
        for (wired, outcome, ahead) in [
            (false, Outcome::Active, true),
            (true, Outcome::Active, false),
            (true, Outcome::Down, false),
        ] {
            let (place, status) = (Place::Prepared, "ACTIVE");
            let wiring = Wiring { place, status, wired, ready: true, router_off: false };
            let verdict = hear(&wiring, &outcome);
            assert_eq!((verdict.plugged_ahead, verdict.status), (ahead, None));
            assert_eq!(verdict.wired, outcome == Outcome::Active);
        }
    }

    #[test]
    fn the_word_of_a_host_that_the_port_left_comes_too_late() {
        for outcome in [Outcome::Active, Outcome::Down, Outcome::Error("x".to_owned())] {
            let (place, status) = (Place::Elsewhere, "DOWN");
            let wiring = Wiring { place, status, wired: false, ready: true, router_off: true };
            assert_eq!(hear(&wiring, &outcome), Verdict::default());
        }
    }
}
