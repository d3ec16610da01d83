//! How far an administrator may go.

/// What an administrator may do: the `role` of access tokens that were given for a second proof. Each role may do what those
/// before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Finds and reads; unlocks, ends sessions, releases limits.
    Support,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 2] = [Self::Support, Self::Admin];

    /// Its name in rows, tokens and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Admin => "admin",
        }
    }

    /// From its name. `None` for what another version of the service wrote: it grants nothing.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_comes_back_from_its_name_and_admin_is_the_greater() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("root"), None);
        assert!(Role::Admin > Role::Support);
    }
}
