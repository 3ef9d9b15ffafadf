/** The schema of an environment file: its shape, the rules between its settings, and what follows from them. */
import { type Environment, environmentShape, type VaultSettings, type WrittenEnvironment } from './environment';
import { crossFieldRules } from './rules/environment-rules';
import { vault } from './schema/vault';

const EMBEDDED_VAULT: VaultSettings = vault.parse({ mode: 'embedded' });

/** The schema of an environment file. Unknown keys are errors. */
export const environmentSchema = environmentShape
  .superRefine((written, context) => {
    const said = { ...written, vault: written.vault ?? EMBEDDED_VAULT };
    for (const { path, message, fix, other } of crossFieldRules(resolved(written), written)) {
      const value = path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown>)[part], said);
      context.addIssue({ code: 'custom', path: [...path], message, params: { fix, other: other.join('.'), value } });
    }
  })
  // after the rules: zod asks none about the result of a transformation where anything is wrong
  .transform(resolved);

function resolved({ vault, keyStore, ...rest }: WrittenEnvironment): Environment {
  if (keyStore.type !== 'vault') return { ...rest, keyStore };
  return { ...rest, keyStore: { ...keyStore, prefix: keyStore.prefix ?? rest.name, vault: vault ?? EMBEDDED_VAULT } };
}
