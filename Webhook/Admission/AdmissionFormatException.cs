namespace Carina.Webhook.Admission;

/// <summary>What came is not an AdmissionReview of a pod; the message says what is wrong with which field.</summary>
internal sealed class AdmissionFormatException(string message) : Exception(message);
