use super::TableSpec;

/// The audited models of an application, made with
/// [`models!`](crate::models!): what migrations are generated for, checked
/// against and installed from.
///
/// A model that is not listed is left alone. Absence never means that a table
/// is to be audited no longer; say that with `threadline.unaudit` in a
/// migration.
#[derive(Debug, Clone)]
pub struct Models {
    specs: Vec<TableSpec>,
}

impl Models {
    /// These, as [`models!`](crate::models!) makes them of models; tables without a model
    /// are made by [`TableSpec::without_model`].
    pub fn new(specs: Vec<TableSpec>) -> Self {
        Self { specs }
    }

    /// What is known of each model, in the order of the list.
    pub fn specs(&self) -> &[TableSpec] {
        &self.specs
    }

    /// The same models, each as if it said `#[audited(require_actor)]`: a write to any of
    /// their tables without an actor is refused.
    ///
    /// Belongs where the list is made, so that migrations are generated for it, checked
    /// against it and verified by it.
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
