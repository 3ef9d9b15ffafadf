/**
 * The versions of the Terraform providers, wherever they come from: what is built here is what the registry has, so that
 * what is tested is what everybody gets. See docs/adr/0002.
 */
export const PROVIDER_VERSIONS = { docker: '4.6.0', vault: '5.9.0' } as const;
