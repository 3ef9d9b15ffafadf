import { declaredClients } from '../../../config/minio/client-policies';
import type { OperationInput } from '../../../config/operation-inputs';
import { s3Endpoint } from '../../../config/state/endpoints';
import type { LoadedEnvironment } from '../../state/load';
import { ownFile } from '../s3-client';

/** What a deploy tells `provision-clients`. */
export function clientInput({
  environment,
  state,
}: Pick<LoadedEnvironment, 'environment' | 'state'>): OperationInput<'provision-clients'> {
  return {
    endpoint: s3Endpoint(environment, state),
    region: environment.minio.region,
    iamFile: ownFile({ state }, 'minioIam'),
    clients: declaredClients(environment),
    denySseC: environment.minio.sseC === 'deny',
    folder: state.secret.clients,
    renewalNote: state.clientsNote,
  };
}
