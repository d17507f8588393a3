/**
 * Renewal of the credentials of a run's children (D11): at a third of the life, a new JWT for the same key is sent to the
 * instance's own inbox; the seed never travels again.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { gatewayInbox, unitInbox } from '@sinter/contract';
import { renewGateway, renewUnit, signGateway, signUnit } from '../bus/credentials.ts';
import type { NewCredential } from '../bus/credentials.ts';
import type { BusKeys, Validity } from '../bus/keys.ts';
import type { UnitScope } from '@sinter/contract';
import type { Fleet } from './fleet.ts';

export class CredentialKeeper {
  readonly #nc: NatsConnection;
  readonly #keys: () => BusKeys;
  readonly #validity: () => Validity;

  constructor(nc: NatsConnection, keys: () => BusKeys, validity: () => Validity) {
    this.#nc = nc;
    this.#keys = keys;
    this.#validity = validity;
  }

  forUnit(scope: UnitScope): NewCredential {
    return signUnit(this.#keys(), scope, this.#validity());
  }

  forGateway(): NewCredential {
    return signGateway(this.#keys(), this.#validity());
  }

  renewFleet(fleet: Fleet, seed: string): void {
    const renewed = renewUnit(this.#keys(), fleet.scope, fleet.publicKey, this.#validity());
    fleet.renew({ ...renewed, seed });
    for (const key of fleet.instances) this.#nc.publish(`${unitInbox(key)}.renew`, renewed.jwt);
  }

  renewGateway(instance: string, publicKey: string): string {
    const { jwt } = renewGateway(this.#keys(), publicKey, this.#validity());
    this.#nc.publish(`${gatewayInbox(instance)}.renew`, jwt);
    return jwt;
  }
}
