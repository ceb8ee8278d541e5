import Testing

/// What every implementation of `Vault` must do; its parts are the files beside this one.
@Suite struct VaultContract {}
