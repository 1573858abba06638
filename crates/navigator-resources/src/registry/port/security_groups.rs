//! A port's security groups, and what they have to do with port security.

use navigator_model::SecurityGroupId;

use super::Port;
use crate::{
    Context, Facts, Refusal, Stop, Writes,
    registry::security_group::{ensure, wanted},
};

/// Devices of the service itself are not filtered.
fn is_trusted(port: &Port) -> bool {
    port.device_owner.0.starts_with("network:")
}

impl Port {
    /// The groups of a new port: those named, else its project's default group. The writes make
    /// that group if the project has none yet.
    pub(super) fn join_security_groups(
        &mut self,
        request: Option<&[SecurityGroupId]>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<Writes, Stop> {
        match request {
            Some(request) => {
                if !self.port_security_enabled && !request.is_empty() {
                    return Err(Refusal::PortSecurityAndIPRequiredForSecurityGroups {}.into());
                }
                self.security_groups = wanted(request, &[], facts, context)?;
                Ok(Writes::new())
            }
            None if self.port_security_enabled && !is_trusted(self) => {
                let (group, writes) = ensure(&self.standard.project_id, facts, context)?;
                self.security_groups = vec![group.id];
                Ok(writes)
            }
            None => Ok(Writes::new()),
        }
    }

    /// The groups of a changed port, whose port security is settled.
    pub(super) fn change_security_groups(
        &mut self,
        request: Option<&[SecurityGroupId]>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(), Stop> {
        let named = request.is_some_and(|request| !request.is_empty());
        if !self.port_security_enabled && named {
            return Err(Refusal::PortSecurityAndIPRequiredForSecurityGroups {}.into());
        }
        if let Some(request) = request {
            self.security_groups = wanted(request, &self.security_groups, facts, context)?;
        }
        if !self.port_security_enabled && !self.security_groups.is_empty() {
            return Err(Refusal::PortSecurityPortHasSecurityGroup {}.into());
        }
        Ok(())
    }
}
