import { appendFileSync, readFileSync } from 'node:fs';

/** Keeps the signer of a backup where ./scripts/backup says: in the file of the identity. */
export function keepSigner(identity: string, { stdout }: { readonly stdout: string }): void {
  const signer = /ed25519:[A-Za-z0-9+/]{43}=/.exec(stdout)?.[0];
  if (signer === undefined) throw new Error(`./scripts/backup named no signer:\n${stdout}`);
  if (!readFileSync(identity, 'utf8').includes(signer)) appendFileSync(identity, `# signer: ${signer}\n`);
}
