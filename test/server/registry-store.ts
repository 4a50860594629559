import type {
  ApplicationRegistration,
  Origin,
  ShownApplicationRecord,
  SubscriptionState,
  TailPage,
  Usage,
} from '../../streams/index.ts'

/** What access needs of a store. */
export class RegistryStore {
  readonly registrations = new Map<string, ApplicationRegistration>()
  readonly #records: ShownApplicationRecord[] = []
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

  async *tail(): AsyncGenerator<TailPage> {
    yield { records: this.#records, next: this.#records.length, upToDate: true }
  }

  async register({ principal }: Origin, id: string, registration: ApplicationRegistration | null) {
    await this.durable
    const { application } = principal
    this.#records.push({ operation: 'application', application, id, registration } as ShownApplicationRecord)
    if (registration) this.registrations.set(id, registration)
    else this.registrations.delete(id)
  }
}
