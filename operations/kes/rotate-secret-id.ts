import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { vaultNames } from '../../config/deployment-names';
import { durationToMs } from '../../config/duration';
import { vaultVariables } from '../../config/vault/external-vault';
import { vaultAccess } from '../../config/state/endpoints';
import { AppRole, type AppRoleLogin, readKesLogin } from '../vault/approle';
import { ExternalError, UsageError } from '../lib/errors';
import { writeFileAtomically } from '../lib/files';
import { newSecretId, noteEnd } from './kes-secret-id';
import type { Phase } from '../state/rotation';
import type { RotationContext } from '../state/rotation-context';

/** What is remembered where Vault no longer knew the old SecretID. */
const NONE = 'none';

/**
 * A new SecretID for KES. The old one is destroyed only when KES has logged in by the new one and opens every canary.
 *
 * A run that is killed between Vault's answer and the file leaves a SecretID that no file has.
 *
 * @throws UsageError if the master keys are not in Vault
 */
export function rotateSecretId({ loaded, rotation, deploy, prove }: RotationContext): Phase[] {
  const { environment, state } = loaded;
  const { keyStore } = environment;
  if (keyStore.type !== 'vault') {
    throw new UsageError(
      `keyStore.type: must be vault, got: ${keyStore.type}`,
      'KES logs in by a SecretID only where the master keys are in Vault',
    );
  }
  const settings = keyStore.approle.secretId;
  const file = state.secret.kesConfiguration;
  const access = vaultAccess({ ...environment, keyStore }, state, vaultVariables(process.env));
  const withRole = async <T>(act: (role: AppRole) => Promise<T>): Promise<T> => {
    const role = new AppRole(access, { mount: keyStore.approle.mount, role: vaultNames(environment).kesRole });
    try {
      return await act(role);
    } finally {
      role.close();
    }
  };
  const present = (): AppRoleLogin => {
    const login = readKesLogin(file);
    if (login === undefined) throw new ExternalError(`${file} holds no login of KES`, './scripts/up writes it');
    return login;
  };

  return [
    {
      id: 'mint',
      title: 'New SecretID',
      run: () =>
        withRole(async (role) => {
          const old = (await role.accessorOf(present().secretId)) ?? NONE;
          const begun = rotation.remembered('old');
          if (begun !== undefined && begun !== old) return 'made before the interruption';
          const secretId = await newSecretId(role, settings);
          const accessor = secretId.facts.secret_id_accessor;
          rotation.remember('old', old);
          rotation.remember('new', accessor);
          const document = parseDocument(readFileSync(file, 'utf8'));
          document.setIn(['keystore', 'vault', 'approle', 'secret'], secretId.value.reveal());
          writeFileAtomically(file, document.toString());
          if (durationToMs(settings.ttl) > 0) noteEnd(state.secretIdNote, secretId);
          return `accessor ${accessor}`;
        }),
    },
    {
      id: 'log-in',
      title: 'Log in with the new SecretID',
      // with bounds, only KES can
      applies: () => settings.boundCidrs.length + settings.tokenBoundCidrs.length === 0,
      run: async () => {
        const { roleId, secretId } = present();
        await withRole((role) => role.proveLogin(roleId, secretId));
        return 'Vault accepts it';
      },
    },
    { id: 'deliver', ...deploy('Have KES log in by it') },
    { id: 'prove', title: 'Master keys', run: prove },
    {
      id: 'destroy',
      title: 'Destroy the old SecretID',
      run: () =>
        withRole(async (role) => {
          const old = rotation.remembered('old');
          if (old === undefined || old === NONE) return 'Vault did not know it any more';
          if ((await role.accessorOf(present().secretId)) === old) {
            throw new ExternalError(
              `${file} holds the old SecretID again: it was put back, and is not destroyed`,
              `remove ${state.rotation} and start again`,
            );
          }
          await role.destroy(old);
          return `accessor ${old}`;
        }),
    },
  ];
}
