use super::TableSpec;

/// The audited models of an application, made with [`models!`](crate::models!). Migrations
/// are generated for them, checked against them and installed from them.
///
/// A table whose model is not listed is left alone: removing a model from the list does not
/// end the audit of its table. To end it, call `threadline.unaudit` in a migration.
#[derive(Debug, Clone)]
pub struct Models {
    specs: Vec<TableSpec>,
}

impl Models {
    /// Creates the list from specs. [`models!`](crate::models!) takes the specs from
    /// models; [`TableSpec::without_model`] creates one for a table without a model.
    pub fn new(specs: Vec<TableSpec>) -> Self {
        Self { specs }
    }

    /// Returns the spec of each model, in the order of the list.
    pub fn specs(&self) -> &[TableSpec] {
        &self.specs
    }

    /// Returns the same models, each with `#[audited(require_actor)]`: a write without an
    /// actor to any of their tables is refused.
    ///
    /// Call it where the list is created, so that generated migrations, `check` and
    /// `verify` all use it.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// let models = threadline::models![User].require_actor();
    /// assert!(models.specs().iter().all(|spec| spec.policy.require_actor));
    /// ```
    #[must_use]
    pub fn require_actor(mut self) -> Self {
        for spec in &mut self.specs {
            spec.policy.require_actor = true;
        }
        self
    }
}

/// Lists the audited models of an application.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// let models = threadline::models![User];
/// assert_eq!(models.specs()[0].table, r#""users""#);
/// ```
#[macro_export]
macro_rules! models {
    ($($model:ty),+ $(,)?) => {
        $crate::Models::new(::std::vec![$(<$model as $crate::AuditedModel>::spec()),+])
    };
}
