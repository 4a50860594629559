import type { ApplicationRegistration, Origin, SubscriptionState, Usage } from '../../streams/index.ts'

/** What access needs of a store. */
export class RegistryStore {
  readonly registrations = new Map<string, ApplicationRegistration>()
  readonly subscribed: SubscriptionState[] = []
  /** Held back until this resolves, as a disk would. */
  durable: Promise<void> = Promise.resolve()

  async applications() {
    return new Map(this.registrations)
  }

  async subscriptions(): Promise<readonly SubscriptionState[]> {
    return this.subscribed
  }

  async usage(application: string): Promise<Usage> {
    return { bytes: application.length, objects: 1 }
  }

  async register(_origin: Origin, id: string, registration: ApplicationRegistration | null) {
    await this.durable
    if (registration) this.registrations.set(id, registration)
    else this.registrations.delete(id)
  }
}
