//! The access of a viewer: what they may see and do.

mod restoring;
mod scoped;

use threadline::{ActorRef, Filter, Scope};

pub(crate) use self::restoring::{Restored, Target, put_back};
pub(crate) use self::scoped::{Explored, Scoped, limited, took_too_long};

/// The access of a viewer to the explorer. The function of
/// [`Explorer::authorize`](crate::Explorer::authorize) returns one for each request.
///
/// An access permits reading within its scope. The methods `allow_…` permit exports, reverts
/// and unmasking.
///
/// ```
/// use threadline::{ActorRef, Scope, TableScope};
/// use threadline_web::Access;
///
/// // An operator.
/// let all = Access::to_everything(ActorRef::admin("grace")?)
///     .allow_export()
///     .allow_revert();
///
/// // The administrator of a customer.
/// let own = Scope::new()
///     .table(TableScope::new("invoices").rows("customer_id", 7).hide(["margin"]))
///     .table(TableScope::new("customers").rows("id", 7));
/// let some = Access::within(ActorRef::user("heidi")?, own).allow_export();
/// # Ok::<(), threadline::ContextError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "an access is what the function of `authorize` returns"]
pub struct Access {
    actor: ActorRef,
    scope: Option<Scope>,
    can: Can,
    denied: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Can {
    export: bool,
    revert: bool,
    unmask: bool,
    operate: bool,
}

impl Access {
    /// Grants access to every change of every table, and to the pages about the audit itself:
    /// health, tables and findings.
    pub fn to_everything(actor: ActorRef) -> Self {
        Self {
            actor,
            scope: None,
            can: Can {
                operate: true,
                ..Can::default()
            },
            denied: false,
        }
    }

    /// Grants access to the changes in a scope. The scope applies to every page, count,
    /// completion and export.
    pub fn within(actor: ActorRef, scope: Scope) -> Self {
        Self {
            actor,
            scope: Some(scope),
            can: Can::default(),
            denied: false,
        }
    }

    /// Denies access. The response has the status 403.
    pub fn denied() -> Self {
        Self {
            denied: true,
            ..Self::within(ActorRef::anonymous(), Scope::new())
        }
    }

    /// Permits exports of the changes that the viewer can see. Each export is recorded as the
    /// action `audit.exported`.
    pub fn allow_export(mut self) -> Self {
        self.can.export = true;
        self
    }

    /// Permits reverts whose changes are all in the scope.
    pub fn allow_revert(mut self) -> Self {
        self.can.revert = true;
        self
    }

    /// Permits the viewer to see values that were recorded before their column was masked or
    /// excluded. They must give a reason, which is recorded as the action `audit.unmasked`.
    pub fn allow_unmask(mut self) -> Self {
        self.can.unmask = true;
        self
    }

    /// Returns the viewer.
    pub fn actor(&self) -> &ActorRef {
        &self.actor
    }

    pub(crate) fn is_denied(&self) -> bool {
        self.denied
    }

    pub(crate) fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    pub(crate) fn may_export(&self) -> bool {
        self.can.export
    }

    pub(crate) fn may_revert(&self) -> bool {
        self.can.revert
    }

    pub(crate) fn may_unmask(&self) -> bool {
        self.can.unmask
    }

    pub(crate) fn may_operate(&self) -> bool {
        self.can.operate && self.scope.is_none()
    }

    /// Limits a filter to the scope.
    fn narrow(&self, filter: Filter) -> Filter {
        narrowed(filter, self.scope())
    }
}

/// Limits a filter to a scope. No other function does this.
fn narrowed(filter: Filter, scope: Option<&Scope>) -> Filter {
    match scope {
        Some(scope) => filter.within(scope.clone()),
        None => filter,
    }
}
