/** What Terraform refuses to delete, told so that one knows what was at stake. */

/** The summary of Terraform's refusal to delete or replace what has `prevent_destroy`. */
export const REFUSED = 'Instance cannot be destroyed';

/** What each is, by the construct that declares it; everything else that is protected is named by its address. */
const LOSSES: readonly [RegExp, string][] = [
  [/^vault_mount\./, 'every master key, and with them every object'],
  [/^docker_volume\.Vault_Data_/, 'the storage of Vault: every master key, and with them every object'],
  [/^docker_volume\.Vault_Audit_/, 'the audit log of Vault'],
  [/^docker_volume\.Keys_/, 'every master key, and with them every object'],
  [/^docker_volume\.Minio_Data\d*_/, 'every object'],
];

/** What is lost with a resource. */
export function lossOf(address: string): string {
  return LOSSES.find(([pattern]) => pattern.test(address))?.[1] ?? 'what it holds';
}

/** The resource that a refusal of Terraform is about. */
export function refusedAddress(text: string): string | undefined {
  return /\bResource ([a-z]\w*\.[\w-]+)/.exec(text.replaceAll(/\s+/g, ' '))?.[1];
}

/** How to go on, one way or the other. */
export function howToAllow(environment: string): string {
  return (
    'correct what asks for it (./scripts/plan says why); if it shall be lost, and a backup is of no use any more, write ' +
    `allowDataLoss: ${environment} into the environment file`
  );
}
