//! Samples in, alerts out.

use tests::lambda::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_told() {
    let mut scene = Scene::new().await;
    let lead = scene.accept().await;
    scene.until_told(&[lead.clone()]).await;
    assert_eq!(scene.told(&lead), (1, 1));
}
