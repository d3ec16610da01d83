//! What a rule says by one word: where it is counted, what it does, what it counts.

/// Where a rule is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Once for all instances.
    Cluster,
    /// In this process alone.
    Instance,
}

impl Scope {
    pub const ALL: [Self; 2] = [Self::Cluster, Self::Instance];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Instance => "instance",
        }
    }
}

/// What a rule does when its quota is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It refuses.
    Enforce,
    /// It asks for a proof of work, and refuses at its ceiling.
    Prove,
    /// It is counted and reported, and never refuses.
    Shadow,
    /// It isn't looked at.
    Off,
}

impl Mode {
    pub const ALL: [Self; 4] = [Self::Enforce, Self::Prove, Self::Shadow, Self::Off];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Prove => "prove",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }

    /// Whether a request that it says no to is refused.
    pub const fn refuses(self) -> bool {
        matches!(self, Self::Enforce | Self::Prove)
    }
}

/// What becomes of a request that a cluster rule can't count, since the store of its counters is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IfStoreLost {
    /// It is answered 503.
    Refuse,
    /// It is counted in this process, against this instance's share of the quota.
    Local,
}

impl IfStoreLost {
    pub const ALL: [Self; 2] = [Self::Refuse, Self::Local];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Local => "local",
        }
    }
}

/// What a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counts {
    /// Each request, whether or not a message goes out for it.
    Requests,
    /// Each message that goes out. All requests are asked, and those without a message spend nothing.
    Messages,
    /// Each message that goes out, given back when its code is typed.
    Unverified,
    /// What each message costs that goes out.
    Money,
}

impl Counts {
    pub const ALL: [Self; 4] = [Self::Requests, Self::Messages, Self::Unverified, Self::Money];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Messages => "messages",
            Self::Unverified => "unverified",
            Self::Money => "money",
        }
    }

    /// Whether only a message spends.
    pub const fn by_message(self) -> bool {
        !matches!(self, Self::Requests)
    }
}
