"""The provider's OpenID Connect side: authorization code with PKCE, and nothing else."""
