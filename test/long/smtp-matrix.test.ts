import { describeMatrix } from '../support/smtp-matrix.ts'

describeMatrix(() => true)
