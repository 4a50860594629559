import { SINGLE } from '../../pool/geometry.ts'
import {
  type Format,
  formatDevices,
  type Geometry,
  type OpenOptions,
  openDevices,
  type Pool,
} from '../../pool/index.ts'
import { CrashDevice, CrashRecord, type Fault, Medium, MediumDevice, type Window } from './crash-device.ts'
import type { Random } from './random.ts'

/** How many devices a pool has, and how they are joined. */
export interface Arrangement {
  readonly geometry: Geometry
  readonly members: number
}

export const ONE_DEVICE: Arrangement = { geometry: SINGLE, members: 1 }

/** The devices of a pool, which lie side by side on one medium: so they fail, and are rolled back, together. */
export class DeviceArray {
  readonly medium: Medium
  readonly windows: readonly Window[]
  readonly #geometry: Geometry

  constructor(deviceBytes: number, { geometry, members }: Arrangement = ONE_DEVICE) {
    this.medium = new Medium(deviceBytes * members)
    this.windows = Array.from({ length: members }, (_, i) => ({ start: i * deviceBytes, size: deviceBytes }))
    this.#geometry = geometry
  }

  get isMirrored(): boolean {
    return this.#geometry.layout === 'mirror' || this.#geometry.legs > 1
  }

  async format(format: Format): Promise<void> {
    const members = this.windows.map((_, i) => Buffer.alloc(16, i + 2))
    await formatDevices(this.#plain(), { format, geometry: this.#geometry }, { pool: Buffer.alloc(16, 1), members })
  }

  /** Opens the pool without a record, all of it or without one member. */
  async open(options: OpenOptions, without?: number): Promise<Pool> {
    const devices = this.#plain().filter((_, i) => i !== without)
    return await openDevices(devices, options)
  }

  #plain(): MediumDevice[] {
    return this.windows.map((window) => new MediumDevice(this.medium, window))
  }

  /** Devices that record what they are asked, in one order. */
  recorded<Mark>(random: Random, faultOf: (member: number) => Fault | undefined): readonly CrashDevice<Mark>[] {
    const record = new CrashRecord<Mark>()
    return this.windows.map((window, member) => {
      const fault = faultOf(member)
      return new CrashDevice<Mark>(this.medium, { random, window, record, ...(fault ? { fault } : {}) })
    })
  }

  /** What a member holds. */
  bytes(member: number): Buffer {
    const { start, size } = this.windows[member]!
    return this.medium.bytes.subarray(start, start + size)
  }
}
