/**
 * The loop of the unsealer: whenever Vault says that it is sealed (`vault status` exits with 2), give it every share.
 *
 * A share is read by `vault` from a file, so it is never in an argument list or in the environment. A share that Vault
 * refuses is logged without the share.
 */
export const UNSEAL_SCRIPT = `#!/bin/sh
trap 'exit 0' TERM INT
while :; do
  vault status >/dev/null 2>&1
  if [ "$?" -eq 2 ]; then
    for share in /files/unseal-share-*; do
      if vault write -format=json sys/unseal key=@"$share" >/dev/null 2>/tmp/error; then
        echo "gave $share to Vault"
      else
        echo "Vault refused $share:" && head -n 3 /tmp/error
      fi
    done
    rm -f /tmp/error
  fi
  sleep 2 &
  wait "$!"
done
`;
