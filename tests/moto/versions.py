"""Versions of secrets. Moto differs from AWS here, so we mend it: a secret that has no version of a stage is
told from one that does not exist by the text, and only by that.
"""


def install() -> None:
    """Mends moto's GetSecretValue."""
    from moto.secretsmanager.exceptions import SecretHasNoValueException
    from moto.secretsmanager.models import SecretsManagerBackend

    get = SecretsManagerBackend.get_secret_value

    def _get(self, secret_id, version_id, version_stage):
        stage = version_stage or "AWSCURRENT"
        if self._is_valid_identifier(secret_id) and not version_id and not self.secrets[secret_id].is_deleted():
            versions = self.secrets[secret_id].versions.values()
            if not any(stage in version["version_stages"] for version in versions):
                raise SecretHasNoValueException(stage)
        return get(self, secret_id, version_id, version_stage)

    SecretsManagerBackend.get_secret_value = _get
